package cache

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"strconv"
)

// fingerprint names the look of a type: what a change of would make old bytes read as something else. Types of the same
// fields, names and tags have the same one, whatever they are called.
func fingerprint(t reflect.Type) string {
	h := fnv.New64a()
	describe(t, map[reflect.Type]int{}, func(s string) { _, _ = h.Write([]byte(s)) })
	return strconv.FormatUint(h.Sum64(), 36)
}

// describe writes out a type's structure; a type within itself is named by where it began.
func describe(t reflect.Type, seen map[reflect.Type]int, write func(string)) {
	if t == nil {
		write("nil;")
		return
	}
	if n, ok := seen[t]; ok {
		write(fmt.Sprintf("^%d;", n))
		return
	}
	seen[t] = len(seen)
	write(t.Kind().String() + ";")
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		describe(t.Elem(), seen, write)
	case reflect.Array:
		write(strconv.Itoa(t.Len()) + ";")
		describe(t.Elem(), seen, write)
	case reflect.Map:
		describe(t.Key(), seen, write)
		describe(t.Elem(), seen, write)
	case reflect.Struct:
		if t.NumField() == 0 || !t.Field(0).IsExported() { // it encodes itself, like time.Time: its name has to do
			write(t.String() + ";")
		}
		for f := range t.Fields() {
			if f.IsExported() || f.Anonymous {
				write(f.Name + " " + strconv.Quote(string(f.Tag)) + ";")
				describe(f.Type, seen, write)
			}
		}
	case reflect.Interface:
		write(t.String() + ";")
	}
}
