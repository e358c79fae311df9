package cache

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Codec turns values into bytes and back. ID is written with every value: bytes of another codec are a miss.
// IDs below 16 are reserved for this package.
type Codec interface {
	ID() byte
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, into any) error
}

// JSON is the default Codec.
type JSON struct{}

// ID is 1.
func (JSON) ID() byte { return 1 }

// Marshal is json.Marshal.
func (JSON) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal is json.Unmarshal.
func (JSON) Unmarshal(data []byte, into any) error { return json.Unmarshal(data, into) }

// Raw is the Codec of families of []byte and string, which need no encoding, unless Options name another.
type Raw struct{}

var errRaw = errors.New("cache: the raw codec is for []byte and string")

// ID is 2.
func (Raw) ID() byte { return 2 }

// Marshal returns the bytes.
func (Raw) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return append([]byte{}, v...), nil
	case string:
		return []byte(v), nil
	}
	return nil, fmt.Errorf("%w, not %T", errRaw, v)
}

// Unmarshal keeps data, which must not change any more.
func (Raw) Unmarshal(data []byte, into any) error {
	switch p := into.(type) {
	case *[]byte:
		*p = data
	case *string:
		*p = string(data)
	default:
		return fmt.Errorf("%w, not %T", errRaw, into)
	}
	return nil
}

// Binary is the Codec of families whose values turn themselves into bytes and back, unless Options name another: of those that are an
// encoding.BinaryMarshaler and, they or a pointer to them, an encoding.BinaryUnmarshaler. The latter may keep what it is given, which
// does not change any more.
type Binary struct{}

var errBinary = errors.New("cache: the binary codec is for values with MarshalBinary and UnmarshalBinary")

// ID is 3.
func (Binary) ID() byte { return 3 }

// Marshal is the value's own.
func (Binary) Marshal(v any) ([]byte, error) {
	if m, ok := v.(encoding.BinaryMarshaler); ok {
		return m.MarshalBinary()
	}
	return nil, fmt.Errorf("%w, not %T", errBinary, v)
}

// Unmarshal is the value's own; a pointer gets something to point to.
func (Binary) Unmarshal(data []byte, into any) error {
	if m, ok := into.(encoding.BinaryUnmarshaler); ok {
		return m.UnmarshalBinary(data)
	}
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Pointer {
		return fmt.Errorf("%w, not %T", errBinary, into)
	}
	made := reflect.New(v.Elem().Type().Elem())
	m, ok := made.Interface().(encoding.BinaryUnmarshaler)
	if !ok {
		return fmt.Errorf("%w, not %T", errBinary, into)
	}
	if err := m.UnmarshalBinary(data); err != nil {
		return err
	}
	v.Elem().Set(made)
	return nil
}

// codecFor is Raw for what needs no encoding, Binary for what does it itself, else what Options say.
func codecFor[V any](c Codec) Codec {
	if _, json := c.(JSON); !json {
		return c
	}
	switch v := any(*new(V)).(type) {
	case []byte, string:
		return Raw{}
	case encoding.BinaryMarshaler:
		_, itself := v.(encoding.BinaryUnmarshaler)
		if _, pointer := any(new(V)).(encoding.BinaryUnmarshaler); itself || pointer {
			return Binary{}
		}
	}
	return c
}
