package command_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/command"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "broken")
	var reg chaos.Registry
	reg.Add(command.New(command.Options{}))
	in, err := chaos.New(&reg, chaos.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	there := func() bool { _, err := os.Stat(file); return err == nil }
	inject := func(params map[string]string) error {
		params["undo"] = "rm -f '" + file + "'"
		_, err := in.Inject(t.Context(), chaos.Request{Fault: command.Fault, Params: params})
		return err
	}
	if err := inject(map[string]string{"do": "touch '" + file + "'; false"}); err == nil || there() {
		t.Errorf("a command that failed has left something: %v", err)
	}
	if err := inject(map[string]string{"do": "touch '" + file + "'", "check": "false"}); !errors.Is(err, chaos.ErrUnavailable) || there() {
		t.Errorf("a check that failed: %v", err)
	}
	if err := inject(map[string]string{"do": "touch '" + file + "'", "check": "true"}); err != nil || !there() {
		t.Errorf("not done: %v", err)
	}
	if err := in.Close(t.Context()); err != nil || there() {
		t.Errorf("not undone: %v", err)
	}
}
