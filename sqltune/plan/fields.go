package plan

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// fields reads an object whose fields may be missing, of other types than expected, or unknown.
type fields struct {
	m    map[string]any
	seen map[string]bool
}

func read(m map[string]any) fields { return fields{m, make(map[string]bool, len(m))} }

func (f fields) has(name string) bool { _, ok := f.m[name]; return ok }

func (f fields) any(name string) any {
	f.seen[name] = true
	return f.m[name]
}

// str is a text; numbers and lists become one.
func (f fields) str(name string) string { return asString(f.any(name)) }

func asString(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// num is a number that is at least 0: nothing here is less, and what is not finite must not spoil sums.
func (f fields) num(name string) float64 { return number(f.any(name)) }

func number(v any) float64 {
	var x float64
	switch v := v.(type) {
	case json.Number:
		x, _ = v.Float64()
	case string:
		x, _ = strconv.ParseFloat(v, 64)
	case float64:
		x = v
	}
	if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
		return 0
	}
	return min(x, 1e18)
}

func (f fields) boolean(name string) bool {
	switch v := f.any(name).(type) {
	case bool:
		return v
	case string:
		return v == "true" || v == "t" || v == "on"
	}
	return false
}

// list is a list of texts; one text is a list of one.
func (f fields) list(name string) []string {
	switch v := f.any(name).(type) {
	case []any:
		out := make([]string, 0, len(v))
		for _, one := range v {
			out = append(out, asString(one))
		}
		return out
	case string:
		return []string{v}
	}
	return nil
}

func (f fields) objects(name string) []map[string]any {
	switch v := f.any(name).(type) {
	case []any:
		return objectsOf(v)
	case map[string]any:
		return []map[string]any{v}
	}
	return nil
}

func objectsOf(list []any) (out []map[string]any) {
	for _, one := range list {
		if m, ok := one.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func (f fields) object(name string) map[string]any {
	m, _ := f.any(name).(map[string]any)
	return m
}

// rest are the fields that nobody asked for.
func (f fields) rest() map[string]any {
	var out map[string]any
	for k, v := range f.m {
		if !f.seen[k] {
			if out == nil {
				out = map[string]any{}
			}
			out[k] = v
		}
	}
	return out
}
