package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// batchWriter holds the answer of one call of a batch.
type batchWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
	left   int64
	over   bool // there was more than left
}

func (w *batchWriter) Header() http.Header { return w.header }

func (w *batchWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

func (w *batchWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.over = w.over || int64(w.body.Len()+len(p)) > w.left; w.over {
		return len(p), nil
	}
	return w.body.Write(p)
}

// innerHeaders say nothing to a caller of a batch: cookies are set on the batch itself, where scripts cannot read them.
var innerHeaders = []string{"Set-Cookie", "Surrogate-Control", "Surrogate-Key", "Server-Timing", "Vary", "Content-Length", "Date"}

func (w *batchWriter) answer(method string) batchAnswer {
	w.WriteHeader(http.StatusOK)
	a := batchAnswer{Status: w.status, Headers: make(map[string]string, len(w.header)), Body: anyJSON("null")}
	for name, values := range w.header {
		if !slices.Contains(innerHeaders, name) {
			a.Headers[name] = strings.Join(values, ", ")
		}
	}
	body := bytes.TrimSpace(w.body.Bytes())
	media := w.header.Get("Content-Type")
	switch isJSON := strings.HasPrefix(media, "application/json") || strings.HasPrefix(media, "application/problem+json"); {
	case len(body) == 0 || method == http.MethodHead:
	case isJSON && json.Valid(body):
		a.Body = body
	default:
		text := encode(w.body.String())
		a.Body = text[:len(text)-1]
	}
	return a
}

// batchJar carries cookies from call to call, and to the answer of the batch.
type batchJar struct {
	mu    sync.Mutex
	names []string          // in the order in which they came up
	value map[string]string // as sent; not there: removed
	fresh map[string]string // Set-Cookie lines by name
}

func newBatchJar(r *http.Request) *batchJar {
	j := &batchJar{value: map[string]string{}, fresh: map[string]string{}}
	for _, c := range r.Cookies() {
		j.put(c.Name, c.Value)
	}
	return j
}

func (j *batchJar) put(name, value string) {
	if !slices.Contains(j.names, name) {
		j.names = append(j.names, name)
	}
	j.value[name] = value
}

// send puts the cookies into a request.
func (j *batchJar) send(r *http.Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, name := range j.names {
		if v, ok := j.value[name]; ok {
			r.AddCookie(&http.Cookie{Name: name, Value: v})
		}
	}
}

// receive takes what an answer sets.
func (j *batchJar) receive(h http.Header) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range h.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			continue
		}
		j.put(c.Name, c.Value)
		if c.MaxAge < 0 {
			delete(j.value, c.Name)
		}
		j.fresh[c.Name] = line
	}
}

// set are the lines for the answer of the batch: the last of each cookie.
func (j *batchJar) set() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []string
	for _, name := range j.names {
		if line, ok := j.fresh[name]; ok {
			lines = append(lines, line)
		}
	}
	return lines
}
