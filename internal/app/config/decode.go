package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
)

// explainDecode turns what the decoder says into one line for each wrong setting: its key, its value (unless secret)
// and what is allowed. get is how the value of a key is looked up.
func explainDecode(err error, get func(key string) any) error {
	var lines []string
	for _, e := range decodeErrors(err) {
		lines = append(lines, explainOne(e, get)...)
	}
	if len(lines) == 0 {
		return err
	}
	slices.Sort(lines)
	return errors.New(strings.Join(slices.Compact(lines), "\n"))
}

// decodeErrors are the innermost decoding errors of a tree of wrapped and joined ones.
func decodeErrors(err error) []*mapstructure.DecodeError {
	var inner []*mapstructure.DecodeError
	switch e := err.(type) { //nolint:errorlint // the tree is walked level by level
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			inner = append(inner, decodeErrors(one)...)
		}
	case interface{ Unwrap() error }:
		inner = decodeErrors(e.Unwrap())
	}
	if own, ok := err.(*mapstructure.DecodeError); ok && len(inner) == 0 { //nolint:errorlint
		return []*mapstructure.DecodeError{own}
	}
	return inner
}

func explainOne(e *mapstructure.DecodeError, get func(string) any) []string {
	if _, keys, ok := strings.Cut(e.Error(), "has invalid keys: "); ok {
		var lines []string
		for key := range strings.SplitSeq(keys, ", ") {
			lines = append(lines, fmt.Sprintf("%s: there is no such setting: here are %s", strings.TrimPrefix(e.Name()+"."+key, "."), strings.Join(keysAt(e.Name()), ", ")))
		}
		return lines
	}
	field, ok := fieldAt(e.Name())
	if !ok {
		return []string{e.Error()}
	}
	var value any = "(secret)"
	if !holdsSecret(field) {
		value = valueOf(e, get)
	}
	return []string{fmt.Sprintf("%s: %q is not allowed: %s", e.Name(), fmt.Sprint(value), allowedFor(field.Type))}
}

func valueOf(e *mapstructure.DecodeError, get func(string) any) any {
	var parse *mapstructure.ParseError
	var kind *mapstructure.UnconvertibleTypeError
	switch {
	case errors.As(e, &parse):
		return parse.Value
	case errors.As(e, &kind):
		return kind.Value
	}
	return get(e.Name())
}

// holdsSecret tells whether a setting, or one below it, must not be shown.
func holdsSecret(f reflect.StructField) bool {
	t := f.Type
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return f.Tag.Get("secret") != "" || t.Kind() == reflect.Struct && slices.ContainsFunc(reflect.VisibleFields(t), holdsSecret)
}

var index = regexp.MustCompile(`\[\d+\]`)

// fieldAt finds the field of Config that a key such as shards[0].weight names.
func fieldAt(key string) (field reflect.StructField, ok bool) {
	t := reflect.TypeOf(Config{})
	for part := range strings.SplitSeq(index.ReplaceAllString(key, ""), ".") {
		if t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return field, false
		}
		fields := reflect.VisibleFields(t)
		i := slices.IndexFunc(fields, func(f reflect.StructField) bool { return f.Tag.Get("koanf") == part })
		if i < 0 {
			return field, false
		}
		field, t = fields[i], fields[i].Type
	}
	return field, true
}

// keysAt are the settings below a key, "" for the top.
func keysAt(key string) []string {
	t := reflect.TypeOf(Config{})
	if f, ok := fieldAt(key); ok {
		t = f.Type
	}
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	return keysOf(t)
}

func allowedFor(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return "a duration such as 30s, 90m or 720h"
	}
	if t == reflect.TypeFor[time.Time]() {
		return "a time such as 2026-11-27T00:00:00Z"
	}
	if t == reflect.TypeFor[[]ShardConfig]() {
		return "a list of {id, weight, dsn, replicas}; in the variable ID=DSN or ID*WEIGHT=DSN, comma-separated"
	}
	if t == reflect.TypeFor[[]ServerConfig]() {
		return "a list of DSNs, or of {name, dsn}"
	}
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		return "settings of its own: " + strings.Join(keysOf(t), ", ")
	}
	return "a text"
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for _, f := range reflect.VisibleFields(t) {
		keys = append(keys, f.Tag.Get("koanf"))
	}
	return keys
}
