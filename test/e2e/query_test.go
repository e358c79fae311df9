package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The commands of docs/query.md work as they stand, and do what the page says.
func TestQueryPage(t *testing.T) {
	p := shared.get(t)
	page, err := os.ReadFile("../../docs/query.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	engine, err := filepath.Abs("../../sqltune")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"bin/stampede": binary, ".stampede": p.data, "sqltune": engine} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	blocks := strings.Split(string(page), "```sh\n")[1:]
	var all strings.Builder
	for _, b := range blocks {
		script, _, _ := strings.Cut(b, "```")
		out, err := shell(t, dir, script)
		if err != nil {
			t.Errorf("%s\n%v\n%s", script, err, out)
		}
		all.WriteString(out)
	}
	for _, want := range []string{"missing index on products", "ON public.products (slug)", "plan 1 of 2", "200 times", "LIMIT 1000 was added", "MOST TIME",
		"FILTERED BY", "SLOWER SINCE", "tried on catalog"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q is nowhere in\n%s", want, all.String())
		}
	}
	out, stderr, err := run(t.Context(), nil, "query", "run", "--data", p.data, "--csv", "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'stampede_trial%'")
	if err != nil || out != "count\n0\n" {
		t.Errorf("indexes on trial are left: %q %s %v", out, stderr, err)
	}
}

func shell(t *testing.T, dir, script string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}
