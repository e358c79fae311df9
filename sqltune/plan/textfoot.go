package plan

import (
	"regexp"
	"strings"
)

var (
	triggerLine = regexp.MustCompile(`^Trigger (?:for constraint )?(\S+)(?: on (\S+))?: time=([0-9.]+) calls=([0-9]+)$`)
	settingOf   = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_.]*) = '((?:[^']|'')*)'`)
	jitPart     = regexp.MustCompile(`(Generation|Inlining|Optimization|Emission|Deform|Total) ([0-9.]+) ms`)
)

// foot reads what follows a plan: times, triggers, compilation.
func (r *textReader) foot(body string, column int) {
	if column > r.base && r.footer != "" {
		r.under(body)
		return
	}
	if m := triggerLine.FindStringSubmatch(body); m != nil {
		list, _ := r.doc["Triggers"].([]any)
		r.doc["Triggers"] = append(list, map[string]any{"Trigger Name": m[1], "Relation": m[2], "Time": m[3], "Calls": m[4]})
		r.footer = "Trigger"
		return
	}
	m := propertyOf.FindStringSubmatch(body)
	if m == nil {
		return
	}
	switch r.footer = m[1]; m[1] {
	case "Planning Time", "Planning time", "Execution Time", "Execution time", "Total runtime":
		name := map[bool]string{true: "Planning Time", false: "Execution Time"}[strings.HasPrefix(m[1], "Planning")]
		r.doc[name] = strings.TrimSuffix(m[2], " ms")
	case "Settings":
		set := map[string]any{}
		for _, s := range settingOf.FindAllStringSubmatch(m[2], -1) {
			set[s[1]] = strings.ReplaceAll(s[2], "''", "'")
		}
		r.doc["Settings"] = set
	case "JIT":
		r.doc["JIT"] = map[string]any{}
	default:
		if m[2] != "" {
			r.doc[m[1]] = m[2]
		}
	}
}

// under reads a line below a heading of the foot.
func (r *textReader) under(body string) {
	m := propertyOf.FindStringSubmatch(body)
	if m == nil {
		return
	}
	jit, ok := r.doc["JIT"].(map[string]any)
	switch {
	case r.footer != "JIT" || !ok:
		if r.footer == "Planning" { // buffers that planning took
			under, _ := r.doc["Planning"].(map[string]any)
			if under == nil {
				under = map[string]any{}
				r.doc["Planning"] = under
			}
			setProperty(under, m[1], m[2])
		}
	case m[1] == "Functions":
		jit["Functions"] = m[2]
	case m[1] == "Timing":
		timing := map[string]any{}
		for _, part := range jitPart.FindAllStringSubmatch(m[2], -1) {
			timing[part[1]] = part[2]
		}
		jit["Timing"] = timing
	}
}
