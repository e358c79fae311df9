package opshttp

import (
	"encoding/json"
	"io"
)

// Decode reads one JSON value into v; a field that v does not have is an error, so that a misspelt one is not taken for nothing. Who calls
// it bounds body. An empty body is io.EOF.
func Decode(body io.Reader, v any) error {
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}
