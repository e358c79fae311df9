package cache

import (
	"encoding/json"
	"errors"
	"fmt"
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

// codecFor is Raw for what needs no encoding, else what Options say.
func codecFor[V any](c Codec) Codec {
	if _, json := c.(JSON); json {
		switch any(*new(V)).(type) {
		case []byte, string:
			return Raw{}
		}
	}
	return c
}
