package waf

import (
	"encoding/json"
	"errors"
	"strings"
)

// maxDepth bounds how deep a JSON body may be nested.
const maxDepth = 64

var (
	errJSON  = errors.New("the body is not JSON")
	errDepth = errors.New("the body is nested too deep")
)

// flattener walks a JSON text and hands out its texts with their paths: names joined by dots, after "json" as the
// rule set expects; places in arrays do not show. It takes every member, also of a name that occurs twice, so that
// nothing hides behind another.
type flattener struct {
	s     string
	i     int
	path  []byte
	value func(path, text string)
}

// flattenJSON walks one JSON value, or several if many (NDJSON).
func flattenJSON(s string, many bool, value func(path, text string)) error {
	f := &flattener{s: s, path: []byte("json"), value: value}
	for f.space(); f.i < len(f.s); f.space() {
		if err := f.any(maxDepth); err != nil {
			return err
		}
		if f.space(); f.i < len(f.s) && !many {
			return errJSON
		}
	}
	return nil
}

func (f *flattener) space() {
	for f.i < len(f.s) {
		switch f.s[f.i] {
		case ' ', '\t', '\n', '\r':
			f.i++
		default:
			return
		}
	}
}

func (f *flattener) take(c byte) bool {
	f.space()
	if f.i < len(f.s) && f.s[f.i] == c {
		f.i++
		return true
	}
	return false
}

func (f *flattener) any(depth int) error {
	if depth == 0 {
		return errDepth
	}
	f.space()
	if f.i >= len(f.s) {
		return errJSON
	}
	switch f.s[f.i] {
	case '{':
		return f.object(depth)
	case '[':
		return f.array(depth)
	case '"':
		text, err := f.text()
		if err == nil {
			f.value(string(f.path), text)
		}
		return err
	default:
		return f.scalar()
	}
}

func (f *flattener) object(depth int) error {
	f.i++
	if f.take('}') {
		return nil
	}
	for {
		f.space()
		if f.i >= len(f.s) || f.s[f.i] != '"' {
			return errJSON
		}
		name, err := f.text()
		if err != nil {
			return err
		}
		if !f.take(':') {
			return errJSON
		}
		parent := len(f.path)
		f.path = append(append(f.path, '.'), name...)
		err = f.any(depth - 1)
		f.path = f.path[:parent]
		if err != nil {
			return err
		}
		if f.take('}') {
			return nil
		}
		if !f.take(',') {
			return errJSON
		}
	}
}

func (f *flattener) array(depth int) error {
	f.i++
	if f.take(']') {
		return nil
	}
	for {
		if err := f.any(depth - 1); err != nil {
			return err
		}
		if f.take(']') {
			return nil
		}
		if !f.take(',') {
			return errJSON
		}
	}
}

// text reads a string literal. What has no escapes is cut out of the body as it is.
func (f *flattener) text() (string, error) {
	start := f.i
	f.i++
	escaped := false
	for ; f.i < len(f.s); f.i++ {
		switch c := f.s[f.i]; {
		case c == '\\':
			escaped = true
			f.i++
		case c == '"':
			f.i++
			lit := f.s[start:f.i]
			if !escaped {
				return lit[1 : len(lit)-1], nil
			}
			var out string
			if err := json.Unmarshal([]byte(lit), &out); err != nil {
				return "", errJSON
			}
			return out, nil
		case c < ' ':
			return "", errJSON
		}
	}
	return "", errJSON
}

// scalar reads a number, true, false or null; the name alone is of interest then.
func (f *flattener) scalar() error {
	start := f.i
	for f.i < len(f.s) && !strings.ContainsRune(" \t\r\n,]}:", rune(f.s[f.i])) {
		f.i++
	}
	lit := f.s[start:f.i]
	switch lit {
	case "true", "false", "null":
	default:
		if lit == "" || strings.ContainsAny(lit[:1], "tfn") || !json.Valid([]byte(lit)) {
			return errJSON
		}
	}
	f.value(string(f.path), "")
	return nil
}
