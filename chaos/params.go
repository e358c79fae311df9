package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is what a parameter looks like.
type Kind string

// Kinds of parameters.
const (
	Text     Kind = "text"
	Duration Kind = "duration" // 50ms
	Number   Kind = "number"   // an integer from 0 on
	Size     Kind = "size"     // bytes: 64MiB, 1GiB, 4096
	Share    Kind = "share"    // 0 to 1, or 10%
)

// Param is something that can be said about an injection.
type Param struct {
	Name     string `json:"name"`
	About    string `json:"about"`
	Kind     Kind   `json:"kind"` // "" is Text
	Default  string `json:"default,omitempty"`
	Required bool   `json:"required,omitempty"`
}

// Values are the parameters of an injection, checked: what is asked for is there and of its kind.
type Values map[string]string

// values checks what was given and fills in what was not.
func (f *Fault) values(given map[string]string) (Values, error) {
	known := map[string]bool{}
	v := Values{}
	for _, p := range f.Params {
		known[p.Name] = true
		text, ok := given[p.Name]
		if !ok || text == "" {
			text = p.Default
		}
		if text == "" {
			if p.Required {
				return nil, fmt.Errorf("%w: %s needs %s: %s", ErrParams, f.Name, p.Name, p.About)
			}
			continue
		}
		if err := p.check(text); err != nil {
			return nil, fmt.Errorf("%w: %s: %s=%s: %w", ErrParams, f.Name, p.Name, text, err)
		}
		v[p.Name] = text
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !known[name] {
			return nil, fmt.Errorf("%w: %s has no %q; it has %s", ErrParams, f.Name, name, f.paramNames())
		}
	}
	return v, nil
}

func (f *Fault) paramNames() string {
	if len(f.Params) == 0 {
		return "no parameters"
	}
	names := make([]string, len(f.Params))
	for i, p := range f.Params {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}

func (p Param) check(text string) (err error) {
	switch p.Kind {
	case Duration:
		var d time.Duration
		if d, err = time.ParseDuration(text); err == nil && d < 0 {
			err = fmt.Errorf("it must not be negative")
		}
	case Number:
		_, err = strconv.ParseUint(text, 10, 31)
	case Size:
		_, err = parseSize(text)
	case Share:
		_, err = parseShare(text)
	}
	if err != nil {
		return fmt.Errorf("not a %s: %w", p.Kind, err)
	}
	return nil
}

// Text is a parameter as it was given; "" when it was not.
func (v Values) Text(name string) string { return v[name] }

// Duration is a parameter of that kind; 0 when it was not given.
func (v Values) Duration(name string) time.Duration {
	d, _ := time.ParseDuration(v[name]) // checked
	return d
}

// Number is a parameter of that kind; 0 when it was not given.
func (v Values) Number(name string) int {
	n, _ := strconv.ParseUint(v[name], 10, 31) // checked
	return int(n)
}

// Size is a parameter of that kind, in bytes; 0 when it was not given.
func (v Values) Size(name string) int64 {
	n, _ := parseSize(v[name]) // checked
	return n
}

// Share is a parameter of that kind, 0 to 1; 0 when it was not given.
func (v Values) Share(name string) float64 {
	s, _ := parseShare(v[name]) // checked
	return s
}

func parseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	s, err := strconv.ParseFloat(number, 64)
	if percent {
		s /= 100
	}
	if err == nil && !(s >= 0 && s <= 1) {
		err = fmt.Errorf("it must be from 0 to 1, or 0%% to 100%%")
	}
	return s, err
}

func parseSize(text string) (int64, error) {
	unit := int64(1)
	for _, u := range []struct {
		suffix string
		bytes  int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}} {
		if number, ok := strings.CutSuffix(text, u.suffix); ok {
			text, unit = number, u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err == nil && int64(n) > (1<<62)/unit {
		err = fmt.Errorf("it is too large")
	}
	return int64(n) * unit, err
}
