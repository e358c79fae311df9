package archtest

import "strings"

// Module is the path of the module whose rooms these are.
const Module = "github.com/stampede-shop/stampede"

// kind is what a room is to the others.
type kind string

const (
	leaf    kind = "leaf"    // the standard library and its own subtree
	engine  kind = "engine"  // and third parties and leaves
	domain  kind = "domain"  // the standard library only
	inner   kind = "inner"   // and third parties, the domain
	adapter kind = "adapter" // and third parties, the domain, engines, leaves, and what "also" names
	support kind = "support" // third parties and its own subtree: knows nothing of the shop
	whole   kind = "whole"   // everything
)

// room is a folder and all below it. The table says everything there is to say about it.
type room struct {
	dir   string
	kind  kind
	also  []string // further rooms it may import
	tests []string // further rooms its tests may import
	only  []string // the only rooms that may import it; nil: whoever's kind allows it
}

// rooms of the house. A folder with Go files that is in none of them fails the test: give it a room here.
var rooms = []room{
	{dir: "sketch", kind: leaf},
	{dir: "usl", kind: leaf},
	{dir: "docs", kind: leaf}, // files, and what embeds them
	{dir: "internal/procstat", kind: leaf},

	{dir: "analytics", kind: engine},
	{dir: "batch", kind: engine},
	{dir: "cache", kind: engine},
	{dir: "chaos", kind: engine},
	{dir: "edge", kind: engine},
	{dir: "loadsim", kind: engine},
	{dir: "predict", kind: engine},
	{dir: "queue", kind: engine},
	{dir: "replica", kind: engine},
	{dir: "shard", kind: engine},
	{dir: "sqltune", kind: engine},
	{dir: "telemetry", kind: engine},

	{dir: "internal/shop", kind: domain},
	{dir: "internal/account", kind: inner},
	{dir: "internal/catalog", kind: inner},

	{dir: "internal/cached", kind: adapter},
	{dir: "internal/dashboard", kind: inner, also: []string{"docs", "internal/procstat"}},
	{dir: "internal/httpapi", kind: adapter, also: []string{"internal/account"}},
	{dir: "internal/jobs", kind: adapter},
	{dir: "internal/postgres", kind: adapter, tests: []string{"internal/catalog"}}, // a million products to measure with
	{dir: "internal/web", kind: adapter, also: []string{"internal/account"}},

	{dir: "internal/archtest", kind: support},
	{dir: "internal/deps", kind: support},
	{dir: "internal/local", kind: support},

	{dir: "internal/app", kind: whole, only: []string{"cmd/stampede", "test/e2e"}},
	{dir: "internal/prove", kind: whole},
	{dir: "bench", kind: whole},
	{dir: "cmd", kind: whole},
	{dir: "experiments", kind: whole}, // files, and what embeds them
	{dir: "test", kind: whole},
}

// roomOf finds the innermost room of a folder.
func roomOf(dir string) (room, bool) {
	var found room
	for _, r := range rooms {
		if within(dir, r.dir) && len(r.dir) > len(found.dir) {
			found = r
		}
	}
	return found, found.dir != ""
}

func within(dir, top string) bool { return dir == top || strings.HasPrefix(dir, top+"/") }

func withinAny(dir string, tops []string) bool {
	for _, top := range tops {
		if within(dir, top) {
			return true
		}
	}
	return false
}

// isTestHelper tells whether a package is for tests alone: its name ends in "test". This package only tests.
func isTestHelper(dir string) bool {
	name := dir[strings.LastIndex(dir, "/")+1:]
	return strings.HasSuffix(name, "test") && name != "test"
}
