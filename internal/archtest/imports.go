package archtest

import (
	"fmt"
	"strings"
)

// file is one Go file: its path and folder from the top of the module, with slashes, and what it imports.
type file struct {
	path    string
	dir     string
	imports []string
}

func (f file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// The rules, as failing messages quote them.
const (
	ruleRoom    = "every folder with Go files has a room in internal/archtest/rooms.go"
	ruleLeaf    = "a leaf imports the standard library only"
	ruleEngine  = "rule 1: an engine imports the standard library, third parties, leaves and its own internal/, never another engine, never the repository's internal/"
	ruleDomain  = "rule 2: internal/shop imports the standard library only"
	ruleInner   = "internal/account and internal/catalog import internal/shop, the standard library and third parties only"
	ruleAdapter = "rule 3: adapters import internal/shop and engines, not each other"
	ruleSupport = "a supporting package knows nothing of the shop and its engines"
	ruleApp     = "rule 4: internal/app is imported by cmd/stampede and test/e2e only"
	ruleHelper  = "rule 5: a package whose name ends in test is imported from tests alone"
	ruleThird   = "this room does without third parties"
)

var ruleOf = map[kind]string{leaf: ruleLeaf, engine: ruleEngine, domain: ruleDomain, inner: ruleInner, adapter: ruleAdapter, support: ruleSupport}

// check returns one message for every import that breaks a rule.
func check(files []file) []string {
	var broken []string
	for _, f := range files {
		from, ok := roomOf(f.dir)
		if !ok {
			broken = append(broken, fmt.Sprintf("%s: its folder %q is in no room\n\t%s", f.path, f.dir, ruleRoom))
			continue
		}
		for _, imp := range f.imports {
			if rule := breaks(f, from, imp); rule != "" {
				broken = append(broken, fmt.Sprintf("%s imports %s\n\t%s", f.path, imp, rule))
			}
		}
	}
	return broken
}

// breaks names the rule that an import breaks, "" for none.
func breaks(f file, from room, imp string) string {
	dir, ours := strings.CutPrefix(imp, Module+"/")
	switch {
	case !ours && isStandard(imp):
		return ""
	case !ours && (from.kind == leaf || from.kind == domain) && !f.isTest():
		return ruleOf[from.kind] + "; " + ruleThird
	case !ours:
		return ""
	case isTestHelper(dir) && dir != f.dir:
		if f.isTest() || isTestHelper(f.dir) {
			return ""
		}
		return ruleHelper
	}
	to, ok := roomOf(dir)
	switch {
	case !ok:
		return ruleRoom
	case to.dir == from.dir:
		return ""
	case to.only != nil && !withinAny(f.dir, to.only):
		return ruleApp
	case from.kind == whole || withinAny(dir, from.also) || f.isTest() && withinAny(dir, from.tests):
		return ""
	case !mayImport(from.kind, to.kind):
		return ruleOf[from.kind]
	}
	return ""
}

func mayImport(from, to kind) bool {
	switch from {
	case engine:
		return to == leaf
	case inner:
		return to == domain
	case adapter:
		return to == domain || to == engine || to == leaf
	default:
		return false
	}
}

// isStandard tells a package of the standard library by the missing dot in its first element.
func isStandard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}
