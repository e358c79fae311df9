package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
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
		{exitUsage, []string{"edge", "--listen", "127.0.0.1:0"}},
		{exitUsage, []string{"api"}},
		{exitUsage, []string{"load", "--target", "nonsense", "--duration", "1s"}},
		{exitUsage, []string{"load", "--target", "http://127.0.0.1:1", "--duration", "0s"}},
		{exitUsage, []string{"load", "--target", "http://127.0.0.1:1", "--users", "0"}},
		{exitUsage, []string{"load", "--target", "http://127.0.0.1:1", "--rate", "0"}},
		{exitUsage, []string{"load", "--target", "http://127.0.0.1:1", "--max-users", "0"}},
		{exitUsage, []string{"chaos", "campaign", "--for", "0s"}},
		{exitUsage, []string{"chaos", "run", "replica-lag", "--duration", "0s"}},
		{exitUsage, []string{"predict", "record", "--out", "x", "--for", "-1s"}},
		{exitUsage, []string{"up", "--data", os.DevNull}},
		{exitUsage, []string{"up", "--data", os.DevNull + "/sub", "--detach"}},
		{exitUsage, []string{"analytics", "export", "--out", "events.xlsx"}},
		{exitFail, []string{"status", "--data", t.TempDir()}},
		{exitFail, []string{"audit", "--data", t.TempDir()}},
		{exitFail, []string{"load", "--data", t.TempDir()}},
		{exitFail, []string{"queue", "list", "--ops", "http://127.0.0.1:1"}},
	} {
		if got := run(c.args, s); got != c.want {
			t.Errorf("%q: exit %d, want %d", c.args, got, c.want)
		}
	}
}

// Every command has help with an example.
func TestHelpHasExamples(t *testing.T) {
	eachCommand(t, func(n *kong.Node) {
		if n.Parent != nil && !strings.Contains(n.Detail, "stampede "+strings.TrimPrefix(n.Path(), "stampede ")) {
			t.Errorf("%s: no example: %q", n.Path(), n.Detail)
		}
	})
}

func eachCommand(t *testing.T, f func(n *kong.Node)) {
	t.Helper()
	parser, err := newParser(streams{io.Discard, io.Discard}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	var visit func(n *kong.Node)
	visit = func(n *kong.Node) {
		if n.Hidden {
			return
		}
		f(n)
		for _, child := range n.Children {
			visit(child)
		}
	}
	visit(parser.Model.Node)
}
