package waf

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxBatch bounds the calls that are inspected one by one; a body with more is inspected as any other.
const maxBatch = 100

// HeaderRefused tells the origin which calls of a batch it gets no more, one line for each problem they are to be answered with:
// {"calls":[1,4],"problem":{…}}, calls counted from 0. Whatever cleans headers has to keep clients from sending it.
const HeaderRefused = "Stampede-Refused"

// emptyCall stands in the place of a call that was refused, so that the others keep their places.
var emptyCall = json.RawMessage(`{"method":"GET","path":"/"}`)

type batchCall struct {
	request *http.Request
	body    []byte
	raw     json.RawMessage
}

// batch takes the calls out of a batch body, each as if it had been sent alone with the headers of the whole. ok is
// false when it is no batch, or one with members that are not known: then all of it is inspected as plain JSON.
func (w *WAF) batch(r *http.Request, body []byte) (calls []batchCall, ok bool) {
	if w.opts.BatchPath == "" || r.Method != http.MethodPost || r.URL.Path != w.opts.BatchPath {
		return nil, false
	}
	list, ok := batchList(body)
	if !ok || len(list) > maxBatch {
		return nil, false
	}
	for _, raw := range list {
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return nil, false
		}
		c, ok := batchOne(r, members)
		if !ok {
			return nil, false
		}
		c.raw = raw
		calls = append(calls, c)
	}
	return calls, true
}

// batchList is the list in {"requests":[…]}; ok is false when there is anything else. Of a member that comes twice the last would
// count, here as in the API, but the first would be left uninspected.
func batchList(body []byte) (list []json.RawMessage, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	next := func(want json.Token) bool {
		got, err := dec.Token()
		return err == nil && got == want
	}
	if !next(json.Delim('{')) || !next("requests") || dec.Decode(&list) != nil || !next(json.Delim('}')) {
		return nil, false
	}
	_, err := dec.Token()
	return list, errors.Is(err, io.EOF)
}

// sift inspects the calls of a batch one by one. Those that are objected to are taken out of body and named to the origin, which
// answers for them and does the others.
func (w *WAF) sift(r *http.Request, calls []batchCall, body []byte, mode Mode) []byte {
	refused := map[problem][]int{}
	for i, c := range calls {
		v := w.measure(c.request, c.body)
		if !v.Objects() {
			continue
		}
		w.report(c.request, v, mode)
		if mode != ModeBlock {
			w.m.requests.WithLabelValues("detected").Inc()
			continue
		}
		w.m.requests.WithLabelValues("blocked").Inc()
		p, _ := named(verdictProblem(v), r)
		refused[p] = append(refused[p], i)
		calls[i].raw = emptyCall
	}
	if len(refused) == 0 {
		return body
	}
	for p, which := range refused {
		line, _ := json.Marshal(map[string]any{"calls": which, "problem": json.RawMessage(p.JSON(r.Header.Get("X-Request-Id")))}) // cannot fail
		r.Header.Add(HeaderRefused, string(line))
	}
	left := make([][]byte, len(calls))
	for i, c := range calls {
		left[i] = c.raw
	}
	return slices.Concat([]byte(`{"requests":[`), bytes.Join(left, []byte{','}), []byte("]}"))
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
		if name != http.CanonicalHeaderKey(name) || name == "Content-Type" && !isJSON(value) {
			return c, false
		}
		one.Header[name] = []string{value}
	}
	one.TransferEncoding = nil
	c.request = &one
	return c, true
}
