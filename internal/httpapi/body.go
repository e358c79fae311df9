package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stampede-shop/stampede/internal/shop"
)

// maxBody is the most bytes of a request's body.
const maxBody = 1 << 20

// bodyDeadline is how long a client may take to send a body.
const bodyDeadline = 10 * time.Second

// bodySpec says what a call's body must be. An optional one may be empty, which counts as {}.
type bodySpec struct {
	typ      reflect.Type
	optional bool
	patch    bool // a JSON merge patch of typ: nothing is required, and null removes what is not
	schema   *huma.Schema
}

func bodyOf[T any]() *bodySpec { return &bodySpec{typ: reflect.TypeFor[T]()} }

// readBody reads, checks and canonicalises a body: members sorted, no white space, the same bytes for the same content.
func (d *document) readBody(w http.ResponseWriter, r *http.Request, spec *bodySpec) ([]byte, error) {
	raw, err := slurp(w, r, d.bodyDeadline)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		if spec.optional {
			return []byte("{}"), nil
		}
		if err := checkMediaType(r, spec, false); err != nil {
			return nil, err
		}
		return nil, shop.Errorf(shop.CodeMalformed, "the body is empty: a JSON object is needed")
	}
	if err := checkMediaType(r, spec, true); err != nil {
		return nil, err
	}
	value, err := parseJSON(raw)
	if err != nil {
		return nil, err
	}
	v := validator{registry: d.registry}
	v.check(spec.schema, "", value)
	if len(v.errs) > 0 {
		return nil, fieldErrors(v.errs)
	}
	return json.Marshal(value)
}

// slurp reads the whole body, within the deadline: a client that sends slowly must not hold a handler.
func slurp(w http.ResponseWriter, r *http.Request, within time.Duration) ([]byte, error) {
	if r.ContentLength != 0 {
		// Not every writer can; a server's can. Set back, as the connection is watched on while the handler works.
		rc := http.NewResponseController(w)
		if rc.SetReadDeadline(time.Now().Add(within)) == nil {
			defer rc.SetReadDeadline(time.Time{}) //nolint:errcheck
		}
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, shop.Errorf(codeTooLarge, "the body has more than %d bytes: send less", maxBody)
	}
	if err != nil {
		return nil, &shop.Error{Code: shop.CodeMalformed, Detail: "the body could not be read to its end", Err: err}
	}
	return raw, nil
}

// checkMediaType takes a missing Content-Type for JSON, and refuses what a form of another site could send.
func checkMediaType(r *http.Request, spec *bodySpec, present bool) error {
	if enc := r.Header.Get("Content-Encoding"); present && enc != "" && !strings.EqualFold(enc, "identity") {
		return shop.Errorf(codeUnsupported, "a body in Content-Encoding %s is not taken: send it as it is", enc)
	}
	ct := r.Header.Get("Content-Type")
	if ct == "" {
		return nil
	}
	media, params, err := mime.ParseMediaType(ct)
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return shop.Errorf(codeUnsupported, "a body in charset %s is not taken: send UTF-8", charset)
	}
	if err == nil && (media == "application/json" || spec.patch && media == "application/merge-patch+json") {
		return nil
	}
	return shop.Errorf(codeUnsupported, "a body of type %q is not taken: send application/json", ct)
}

// parseJSON decodes exactly one JSON value; numbers stay as they are written.
func parseJSON(raw []byte) (any, error) {
	if !utf8.Valid(raw) {
		return nil, shop.Errorf(shop.CodeMalformed, "the body is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, &shop.Error{Code: shop.CodeMalformed, Fields: []shop.FieldError{{Field: "body", Message: err.Error()}},
				Detail: "the body is not JSON: " + err.Error()}
		}
		return nil, shop.Errorf(shop.CodeMalformed, "the body is not JSON: it ends too early")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, shop.Errorf(shop.CodeMalformed, "the body has more than one JSON value: send one")
	}
	return value, nil
}

// fieldErrors makes one error of several; its detail shows the first.
func fieldErrors(errs []shop.FieldError) *shop.Error {
	e := &shop.Error{Code: shop.CodeInvalid, Fields: errs, Detail: errs[0].Field + ": " + errs[0].Message}
	if len(errs) > 1 {
		e.Detail += "; errors has more"
	}
	return e
}

// decode reads a checked body into its type.
func decode[T any](c *call) (T, error) {
	var v T
	if err := json.Unmarshal(c.body, &v); err != nil {
		return v, &shop.Error{Code: shop.CodeMalformed, Detail: "the body does not fit: " + err.Error(), Err: err}
	}
	return v, nil
}
