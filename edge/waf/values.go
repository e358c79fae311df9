package waf

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	crs "github.com/corazawaf/coraza-coreruleset/v4"
)

// valueRules are the detections up to a paranoia level that look at values, as two rule files: all of them, and those
// that might match plain text. Each rule only asks whether something matches; scores are the full rule set's business.
func valueRules(paranoia int) (text, words string, err error) {
	read := func(name string) ([]byte, error) { return fs.ReadFile(crs.FS, crsFolder+name) }
	var all, some strings.Builder
	err = eachDetection(paranoia, func(g group) {
		if !slices.ContainsFunc(g, seesValues) {
			return
		}
		all.WriteString(onValues(g, false))
		if !groupSparesPlain(g, read) {
			some.WriteString(onValues(g, true))
		}
	})
	return all.String(), some.String(), err
}

// eachDetection calls f with the rule set's detections up to a paranoia level.
func eachDetection(paranoia int, f func(group)) error {
	names, err := fs.Glob(crs.FS, crsFolder+"REQUEST-*.conf")
	if err != nil {
		return fmt.Errorf("waf: the rule set is missing: %w", err)
	}
	for _, name := range names {
		b, err := fs.ReadFile(crs.FS, name)
		if err != nil {
			return fmt.Errorf("waf: the rule set is missing: %w", err)
		}
		for _, g := range groups(string(b)) {
			if p := g.paranoia(); p > 0 && p <= paranoia && !optIn(g) {
				f(g)
			}
		}
	}
	return nil
}

// optIn tells rules that do nothing until somebody sets a variable for them, such as the longest argument. Who does is
// not tame, and has no fast path.
func optIn(g group) bool {
	starter := g[0]
	return strings.HasPrefix(strings.TrimPrefix(starter.targets[0], "&"), "TX:") && !starter.negated && starter.operator == "eq" && starter.argument == "1"
}

// seesValues tells a rule that looks at the values of arguments or cookies.
func seesValues(r rule) bool {
	return slices.ContainsFunc(r.targets, func(t string) bool {
		base, _, _ := strings.Cut(t, ":")
		return base == "ARGS" || base == "ARGS_GET" || base == "ARGS_POST" || base == "REQUEST_COOKIES"
	})
}

// sameValue tells a chained rule that looks again at what the one before it matched.
func sameValue(r rule) bool { return len(r.targets) == 1 && r.targets[0] == "MATCHED_VARS" }

// groupSparesPlain tells whether plain values cannot make all rules of a chain match: one that cannot is enough.
func groupSparesPlain(g group, read func(string) ([]byte, error)) bool {
	for i, r := range g {
		if (seesValues(r) || i > 0 && sameValue(r) && seesValues(g[i-1])) && sparesPlain(r, read) {
			return true
		}
	}
	return false
}

// onValues writes a group as rules on values alone. Conditions of a chain that look at anything else are left out, so
// that it matches rather too often: what matches is inspected again, by everything. For plain values expressions are
// narrowed down to plain text.
func onValues(g group, plain bool) string {
	var kept []rule
	for i, r := range g {
		if seesValues(r) || i > 0 && len(kept) > 0 && sameValue(r) {
			kept = append(kept, r)
		}
	}
	var b strings.Builder
	for i, r := range kept {
		target := "ARGS_POST"
		if !seesValues(r) {
			target = "MATCHED_VARS"
		}
		op := "@" + r.operator + " " + r.argument
		if plain && !r.negated && r.operator == "rx" && staysPlain(r) {
			narrow, _ := onPlain(r.argument)
			op = "@rx " + narrow
		}
		if r.negated {
			op = "!" + op
		}
		b.WriteString(detection(g, r, target, op, i == 0, i == len(kept)-1))
	}
	return b.String()
}

// detection writes a rule of a group anew, to ask no more than whether it matches: the first of those that are kept of it
// has the group's id, and all but the last are chained.
func detection(g group, r rule, target, op string, isFirst, isLast bool) string {
	var actions []string
	if isFirst {
		actions = append(actions, "id:"+first(g[0].values("id")), "phase:2", "pass", "nolog")
	}
	for _, t := range r.values("t") {
		actions = append(actions, "t:"+t)
	}
	for _, flag := range []string{"multiMatch", "capture"} {
		if slices.Contains(r.actions, flag) {
			actions = append(actions, flag)
		}
	}
	if !isLast {
		actions = append(actions, "chain")
	}
	return withSieve(fmt.Sprintf("SecRule %s \"%s\" \"%s\"\n", target, strings.ReplaceAll(op, `"`, `\"`), strings.Join(actions, ",")))
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}
