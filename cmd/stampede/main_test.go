package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"stampede": func() { os.Exit(run(os.Args[1:], streams{os.Stdout, os.Stderr})) },
	})
}

// The command line as users type it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}

// Exit codes are part of the interface: 2 is wrong usage, 1 is "does not hold" or failed.
func TestExitCodes(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := streams{null, null}
	for _, c := range []struct {
		want int
		args []string
	}{
		{exitDone, []string{"version"}},
		{exitDone, []string{"shard", "locate", "x"}},
		{exitUsage, []string{"shard", "locate"}},
		{exitUsage, []string{"nonsense"}},
		{exitUsage, []string{"up", "--apis", "0", "--data", t.TempDir()}},
		{exitUsage, []string{"up", "--port", "70000", "--data", t.TempDir()}},
		{exitFail, []string{"status", "--data", t.TempDir()}},
	} {
		if got := run(c.args, s); got != c.want {
			t.Errorf("%q: exit %d, want %d", c.args, got, c.want)
		}
	}
}
