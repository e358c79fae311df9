package waf

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// maxBatch bounds the calls that are inspected one by one; a body with more is inspected as any other.
const maxBatch = 100

type batchCall struct {
	request *http.Request
	body    []byte
}

// batch takes the calls out of a batch body, each as if it had been sent alone with the headers of the whole. ok is
// false when it is no batch, or one with members that are not known: then all of it is inspected as plain JSON.
func (w *WAF) batch(r *http.Request, body []byte) (calls []batchCall, ok bool) {
	if w.opts.BatchPath == "" || r.Method != http.MethodPost || r.URL.Path != w.opts.BatchPath {
		return nil, false
	}
	var whole map[string]json.RawMessage
	var list []map[string]json.RawMessage
	if json.Unmarshal(body, &whole) != nil || len(whole) != 1 || json.Unmarshal(whole["requests"], &list) != nil || len(list) > maxBatch {
		return nil, false
	}
	// Of a member that comes twice the last counts, here as in the API; but the first would be left uninspected.
	if bytes.Count(body, []byte(`"requests"`)) != 1 {
		return nil, false
	}
	for _, members := range list {
		c, ok := batchOne(r, members)
		if !ok {
			return nil, false
		}
		calls = append(calls, c)
	}
	return calls, true
}

func batchOne(r *http.Request, members map[string]json.RawMessage) (c batchCall, ok bool) {
	var method, path string
	var headers map[string]string
	for name, value := range members {
		var err error
		switch name {
		case "method":
			err = json.Unmarshal(value, &method)
		case "path":
			err = json.Unmarshal(value, &path)
		case "headers":
			err = json.Unmarshal(value, &headers)
		case "body":
			c.body = value
		default:
			return c, false
		}
		if err != nil {
			return c, false
		}
	}
	if !strings.HasPrefix(path, "/") {
		return c, false
	}
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return c, false
	}
	if method == "" {
		method = http.MethodGet
	}
	one := *r
	one.Method, one.URL, one.RequestURI = strings.ToUpper(method), u, path
	one.Header = r.Header.Clone()
	one.Header.Del("Content-Length")
	one.Header.Del("Content-Type")
	if c.body != nil {
		one.Header.Set("Content-Type", "application/json")
		one.Header.Set("Content-Length", "1")
	}
	for name, value := range headers {
		if name != http.CanonicalHeaderKey(name) || name == "Content-Type" && value != "application/json" {
			return c, false
		}
		one.Header[name] = []string{value}
	}
	one.TransferEncoding = nil
	c.request = &one
	return c, true
}
