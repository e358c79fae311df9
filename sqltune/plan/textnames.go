package plan

import (
	"regexp"
	"strings"
)

var (
	joinLabel  = regexp.MustCompile(`^(Nested Loop|Hash|Merge)(?: (Left|Right|Full|Semi|Anti|Right Semi|Right Anti))?(?: Join)?$`)
	writeLabel = regexp.MustCompile(`^(Insert|Update|Delete|Merge) on (.+)$`)
	indexLabel = regexp.MustCompile(`^(Index(?: Only)? Scan)( Backward)? using (.+?) on (.+)$`)
	onLabel    = regexp.MustCompile(`^(.*?) on (.+)$`)
	setOpLabel = regexp.MustCompile(`^(Hash|)SetOp (.+)$`)
	identifier = regexp.MustCompile(`^(?:"(?:[^"]|"")*"|[^\s".]+)`)
)

// named makes of a node's label the fields that say what it is.
func named(n map[string]any, label string) {
	label = strings.TrimSpace(label)
	for _, prefix := range []struct{ text, field, value string }{{"Async ", "Async Capable", "true"}, {"Parallel ", "Parallel Aware", "true"},
		{"Partial ", "Partial Mode", "Partial"}, {"Finalize ", "Partial Mode", "Finalize"}} {
		if rest, ok := strings.CutPrefix(label, prefix.text); ok {
			n[prefix.field], label = prefix.value, rest
		}
	}
	if strategy, ok := map[string]string{"Aggregate": "Plain", "HashAggregate": "Hashed", "GroupAggregate": "Sorted", "MixedAggregate": "Mixed"}[label]; ok {
		n["Node Type"], n["Strategy"] = "Aggregate", strategy
		return
	}
	if m := writeLabel.FindStringSubmatch(label); m != nil {
		n["Node Type"], n["Operation"] = "ModifyTable", m[1]
		relation(n, "Relation Name", m[2])
		return
	}
	if m := indexLabel.FindStringSubmatch(label); m != nil {
		n["Node Type"], n["Index Name"], n["Scan Direction"] = m[1], unquoted(m[3]), "Forward"
		if m[2] != "" {
			n["Scan Direction"] = "Backward"
		}
		relation(n, "Relation Name", m[4])
		return
	}
	if m := onLabel.FindStringSubmatch(label); m != nil {
		n["Node Type"] = m[1]
		scanned(n, m[1], m[2])
		return
	}
	if m := joinLabel.FindStringSubmatch(label); m != nil && label != "Hash" && label != "Merge" {
		n["Node Type"], n["Join Type"] = m[1], "Inner"
		if m[1] != "Nested Loop" {
			n["Node Type"] = m[1] + " Join"
		}
		if m[2] != "" {
			n["Join Type"] = m[2]
		}
		return
	}
	if m := setOpLabel.FindStringSubmatch(label); m != nil {
		n["Node Type"], n["Command"], n["Strategy"] = "SetOp", m[2], "Sorted"
		if m[1] != "" {
			n["Strategy"] = "Hashed"
		}
		return
	}
	custom(n, label)
}

// scanned says what a scan reads: a relation, or something else that has a name.
func scanned(n map[string]any, kind, what string) {
	switch kind {
	case "Bitmap Index Scan":
		n["Index Name"] = unquoted(what)
	case "CTE Scan", "WorkTable Scan":
		relation(n, "CTE Name", what)
	case "Function Scan", "Table Function Scan":
		relation(n, "Function Name", what)
	case "Named Tuplestore Scan":
		relation(n, "Tuplestore Name", what)
	case "Subquery Scan", "Values Scan":
		n["Alias"] = unquoted(what)
	default:
		relation(n, "Relation Name", what)
		custom(n, kind)
	}
}

// custom is a node of an extension: "Custom Scan (ChunkAppend)".
func custom(n map[string]any, label string) {
	kind, provider, ok := strings.Cut(label, " (")
	n["Node Type"] = kind
	if ok {
		n["Custom Plan Provider"] = strings.TrimSuffix(provider, ")")
	}
}

// relation reads "schema.name alias".
func relation(n map[string]any, field, text string) {
	name := identifier.FindString(text)
	rest := text[len(name):]
	if after, ok := strings.CutPrefix(rest, "."); ok {
		n["Schema"] = unquoted(name)
		name = identifier.FindString(after)
		rest = after[len(name):]
	}
	n[field] = unquoted(name)
	n["Alias"] = n[field]
	if alias := strings.TrimSpace(rest); alias != "" {
		n["Alias"] = unquoted(alias)
	}
}

func unquoted(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.ReplaceAll(s[1:len(s)-1], `""`, `"`)
	}
	return s
}
