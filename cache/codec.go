package cache

import "encoding/json"

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
