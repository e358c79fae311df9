package plan

import (
	"regexp"
	"slices"
	"strings"
)

var (
	severalOn = regexp.MustCompile(`\s{2,}([A-Z][A-Za-z -]*): `)
	original  = regexp.MustCompile(`^([0-9]+)(?: \(originally ([0-9]+)\))?`)
	assigned  = regexp.MustCompile(`([a-z]+)=([0-9.]+)`)
)

// setProperty sets the fields that JSON would have for a line of text.
func setProperty(n map[string]any, key, value string) {
	switch key {
	case "Sort Key", "Presorted Key", "Group Key", "Output", "Params Evaluated":
		n[key] = anyList(splitTop(value))
	case "Sort Method", "Buckets", "Batches", "Planned Partitions", "Hits", "Storage", "Full-sort Groups", "Pre-sorted Groups", "Estimates":
		several(n, key, value)
	case "Heap Blocks":
		for _, a := range assigned.FindAllStringSubmatch(value, -1) {
			n[capital(a[1])+" Heap Blocks"] = a[2]
		}
	case "Buffers":
		grouped(value, func(kind, what, number string) { n[capital(kind)+" "+capital(what)+" Blocks"] = number })
	case "I/O Timings":
		grouped(value, func(kind, what, number string) {
			prefix := ""
			if kind == "shared" || kind == "local" || kind == "temp" {
				prefix = capital(kind) + " "
			}
			n[prefix+"I/O "+capital(what)+" Time"] = number
		})
	default:
		value = strings.TrimSuffix(value, "kB")
		switch before := n[key].(type) {
		case nil:
			n[key] = value
		case []any:
			n[key] = append(before, value)
		default: // "Hash Key" stands once for each grouping set
			n[key] = []any{before, value}
		}
	}
}

// several reads a line with more than one field: "Batches: 5  Memory Usage: 8249kB".
func several(n map[string]any, key, value string) {
	keys, values := []string{key}, []string{}
	from := 0
	for _, at := range severalOn.FindAllStringSubmatchIndex(value, -1) {
		values, keys = append(values, value[from:at[0]]), append(keys, value[at[2]:at[3]])
		from = at[1]
	}
	values = append(values, value[from:])
	if strings.HasSuffix(key, "Groups") {
		group := map[string]any{"Group Count": values[0]}
		for i, k := range keys {
			if kind, ok := strings.CutPrefix(k, "Peak "); ok {
				group["Sort Space "+kind] = map[string]any{"Peak Sort Space Used": strings.TrimSuffix(values[i], "kB")}
			}
		}
		n[key] = group
		return
	}
	for i, k := range keys {
		v := strings.TrimSuffix(values[i], "kB")
		switch {
		case (k == "Disk" || k == "Memory") && keys[0] == "Sort Method":
			n["Sort Space Used"], n["Sort Space Type"] = v, k
		case k == "Memory Usage":
			n["Peak Memory Usage"] = v
		case k == "Batches" && n["Node Type"] != "Hash":
			n["HashAgg Batches"] = v
		case k == "Batches" || k == "Buckets":
			m := original.FindStringSubmatch(v)
			if m == nil {
				continue
			}
			n["Hash "+k] = m[1]
			n["Original Hash "+k] = m[1]
			if m[2] != "" {
				n["Original Hash "+k] = m[2]
			}
		case k == "Hits" || k == "Misses" || k == "Evictions" || k == "Overflows":
			n["Cache "+k] = v
		default:
			n[k] = v
		}
	}
}

// grouped reads "shared hit=3 read=4, temp read=1": kinds are separated by commas.
func grouped(value string, set func(kind, what, number string)) {
	for part := range strings.SplitSeq(value, ", ") {
		kind, _, _ := strings.Cut(part, " ")
		for _, a := range assigned.FindAllStringSubmatch(part, -1) {
			set(kind, a[1], a[2])
		}
	}
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func anyList(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// splitTop splits at the commas that are in no parentheses and no quotes.
func splitTop(s string) (out []string) {
	depth, quote, from := 0, rune(0), 0
	for i, c := range s {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case slices.Contains([]rune("([{"), c):
			depth++
		case slices.Contains([]rune(")]}"), c):
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(s[from:]))
}
