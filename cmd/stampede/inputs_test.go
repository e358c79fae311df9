package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// A file that is not there is wrong usage whichever the command, before anything else is looked at.
func TestMissingInputs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gone := filepath.Join(dir, "gone")
	for _, c := range []struct{ says, args string }{
		{"no such file", "audit --config gone"},
		{"no such file", "cache simulate --size 1 --trace gone"},
		{"no such file", "catalog import gone"},
		{"no such file", "config check --config gone"},
		{"no such file", "edge --origin http://127.0.0.1:1 --config gone"},
		{"no such file", "plan --prices gone"},
		{"no such file", "predict top --file gone"},
		{"no such file", "query analyze --plan gone"},
		{"no such file", "query indexes --statements gone"},
		{"no such file", "query workload --since gone"},
		{"no such file", "shard locate --config gone x"},
		{"no such file", "up --catalog gone"},
		{"is a folder", "up --catalog DIR"},
		{"no such file or folder", "load compare gone DIR"},
		{"no such file or folder", "plan --from gone"},
		{"no such file or folder", "predict train --history gone"},
		{"no such folder", "predict bottlenecks --runs gone"},
		{"no such folder", "predict diagnose --runs gone"},
		{"gone", "load --target http://127.0.0.1:1 --scenario gone"},
		{"gone", "chaos run gone"},
	} {
		var out, errOut bytes.Buffer
		code := run(strings.Fields(strings.NewReplacer("gone", gone, "DIR", dir).Replace(c.args)), streams{&out, &errOut})
		if code != exitUsage || !strings.Contains(errOut.String(), c.says) {
			t.Errorf("%s: exit %d: %s", c.args, code, &errOut)
		}
	}
}

// What a flag reads is of a type that is looked at; what it writes need not be there.
func TestInputsAreChecked(t *testing.T) {
	t.Parallel()
	written := []string{"data", "out", "record", "save", "scenario", "dir"} // scenario is a name, too, and looked up
	eachCommand(t, func(n *kong.Node) {
		for _, f := range n.Flags {
			_, checked := inputs[f.Tag.Type]
			if names := f.PlaceHolder; (names == "FILE" || names == "DIR" || names == "PATH") && !checked && !slices.Contains(written, f.Name) {
				t.Errorf("%s --%s: %q is of no type of inputs", n.Path(), f.Name, f.Tag.Type)
			}
		}
	})
}
