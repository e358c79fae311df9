package httpapi

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Bounds of what a body may hold, whatever its schema: what JSON allows and a database column may not.
const (
	maxDepth     = 32
	maxNumberLen = 64
	maxExponent  = 308
	maxErrors    = 20
)

// validator checks decoded JSON (numbers as json.Number) against a schema of the document.
type validator struct {
	registry huma.Registry
	errs     []shop.FieldError
}

func (v *validator) add(path, format string, args ...any) {
	if len(v.errs) < maxErrors {
		v.errs = append(v.errs, shop.FieldError{Field: path, Message: fmt.Sprintf(format, args...)})
	}
}

// check walks the value; path names it in errors: "payment.method", "ids[2]".
func (v *validator) check(s *huma.Schema, path string, value any) {
	for s.Ref != "" {
		s = v.registry.SchemaFromRef(s.Ref)
	}
	if value == nil && s.Nullable {
		return
	}
	switch s.Type {
	case huma.TypeBoolean:
		if _, ok := value.(bool); !ok {
			v.add(path, "must be true or false")
		}
	case huma.TypeInteger, huma.TypeNumber:
		v.number(s, path, value)
	case huma.TypeString:
		v.string(s, path, value)
	case huma.TypeArray:
		v.array(s, path, value)
	case huma.TypeObject:
		v.object(s, path, value)
	default:
		v.free(path, value, 1)
	}
}

func (v *validator) number(s *huma.Schema, path string, value any) {
	n, ok := value.(json.Number)
	switch {
	case !ok && s.Type == huma.TypeInteger:
		v.add(path, "must be an integer")
		return
	case !ok:
		v.add(path, "must be a number")
		return
	}
	if s.Type == huma.TypeInteger {
		if _, err := strconv.ParseInt(n.String(), 10, 64); err != nil {
			v.add(path, "must be an integer")
			return
		}
	}
	f, err := n.Float64()
	if err != nil {
		v.add(path, "is too large")
		return
	}
	if s.Minimum != nil && f < *s.Minimum {
		v.add(path, "must be at least %s", plain(*s.Minimum))
	}
	if s.Maximum != nil && f > *s.Maximum {
		v.add(path, "must be at most %s", plain(*s.Maximum))
	}
}

func plain(f float64) string { return big.NewFloat(f).Text('f', -1) }

func (v *validator) string(s *huma.Schema, path string, value any) {
	str, ok := value.(string)
	if !ok {
		v.add(path, "must be a string")
		return
	}
	n := utf8.RuneCountInString(str)
	switch {
	case strings.ContainsRune(str, 0):
		v.add(path, "must not contain the character NUL")
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, any(str)):
		v.add(path, "must be one of %s", joinAny(s.Enum))
	case s.MinLength != nil && n < *s.MinLength && n == 0:
		v.add(path, "must not be empty")
	case s.MinLength != nil && n < *s.MinLength:
		v.add(path, "must have at least %d characters", *s.MinLength)
	case s.MaxLength != nil && n > *s.MaxLength:
		v.add(path, "must have at most %d characters", *s.MaxLength)
	case s.Pattern != "" && !compiled(s.Pattern).MatchString(str):
		v.add(path, "must be %s", s.PatternDescription)
	}
}

func joinAny(values []any) string {
	out := make([]string, len(values))
	for i, x := range values {
		out[i] = fmt.Sprint(x)
	}
	return strings.Join(out, ", ")
}

var patterns sync.Map // string → *regexp.Regexp; as many as the document has

func compiled(pattern string) *regexp.Regexp {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(pattern)
	patterns.Store(pattern, re)
	return re
}

func (v *validator) array(s *huma.Schema, path string, value any) {
	items, ok := value.([]any)
	if !ok {
		v.add(path, "must be an array")
		return
	}
	if s.MinItems != nil && len(items) < *s.MinItems {
		v.add(path, "must have at least %d items", *s.MinItems)
	}
	if s.MaxItems != nil && len(items) > *s.MaxItems {
		v.add(path, "must have at most %d items", *s.MaxItems)
		return
	}
	for i, item := range items {
		v.check(s.Items, path+"["+strconv.Itoa(i)+"]", item)
	}
}

func (v *validator) object(s *huma.Schema, path string, value any) {
	m, ok := value.(map[string]any)
	if !ok {
		if path == "" {
			path = "body"
		}
		v.add(path, "must be an object")
		return
	}
	for _, name := range s.Required {
		if _, ok := m[name]; !ok {
			v.add(join(path, name), "is required")
		}
	}
	for _, name := range sortedKeys(m) {
		property, known := s.Properties[name]
		switch more := s.AdditionalProperties.(type) {
		case *huma.Schema:
			if !known {
				property, known = more, true
			}
		case bool:
			if !known && more {
				property, known = &huma.Schema{}, true
			}
		}
		if !known {
			v.add(join(path, name), "is not a known field")
			continue
		}
		v.check(property, join(path, name), m[name])
	}
}

// free checks what has no schema: names and strings without NUL, numbers of a sane size, and not too deep.
func (v *validator) free(path string, value any, depth int) {
	if depth > maxDepth {
		v.add(path, "is nested too deeply: at most %d levels", maxDepth)
		return
	}
	switch x := value.(type) {
	case string:
		if strings.ContainsRune(x, 0) {
			v.add(path, "must not contain the character NUL")
		}
	case json.Number:
		if !saneNumber(x.String()) {
			v.add(path, "is too large a number")
		}
	case []any:
		for i, item := range x {
			v.free(path+"["+strconv.Itoa(i)+"]", item, depth+1)
		}
	case map[string]any:
		for _, name := range sortedKeys(x) {
			if strings.ContainsRune(name, 0) {
				v.add(path, "must not have a name with the character NUL")
				return
			}
			v.free(join(path, name), x[name], depth+1)
		}
	}
}

func saneNumber(n string) bool {
	if len(n) > maxNumberLen {
		return false
	}
	if i := strings.IndexAny(n, "eE"); i >= 0 {
		exp, err := strconv.Atoi(n[i+1:])
		return err == nil && exp <= maxExponent && exp >= -maxExponent
	}
	return true
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
