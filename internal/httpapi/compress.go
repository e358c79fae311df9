package httpapi

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

const (
	minCompress = 512       // bytes; below, the headers cost more than is saved
	maxHeld     = 512 << 10 // bytes held back; a longer answer is compressed as it comes
)

// compressor holds an answer back until it is whole (or long, or flushed), compresses it if type, size and client
// allow, and gives each coding an entity tag of its own. Towards the handler it hides that: validators that come in are
// stripped of the coding.
type compressor struct {
	rec     *recorder
	r       *http.Request
	coding  string            // what the client takes, "" for identity
	tags    map[string]string // validators as the client sent them, by what the handler sees
	status  int
	held    *bytes.Buffer
	stream  encoder
	started bool // the header is out
}

func newCompressor(rec *recorder, r *http.Request) *compressor {
	c := &compressor{rec: rec, r: r}
	if r.Header["Range"] == nil { // ranges are of the identity form
		c.coding = negotiate(strings.Join(r.Header["Accept-Encoding"], ","))
	}
	if r.Header["If-None-Match"] != nil || r.Header["If-Match"] != nil {
		c.stripValidators()
	}
	return c
}

// stripValidators rewrites the request's own copy of If-None-Match and If-Match.
func (c *compressor) stripValidators() {
	for _, name := range []string{"If-None-Match", "If-Match"} {
		list := strings.Join(c.r.Header.Values(name), ",")
		tags, ok := parseETags(list)
		if list == "" || !ok {
			continue
		}
		for i, t := range tags {
			tags[i] = stripCoding(t)
			if name == "If-None-Match" && tags[i] != t {
				if c.tags == nil {
					c.tags = map[string]string{}
				}
				c.tags[strings.TrimPrefix(tags[i], "W/")] = strings.TrimPrefix(t, "W/")
			}
		}
		c.r.Header.Set(name, strings.Join(tags, ", "))
	}
}

func (c *compressor) Header() http.Header { return c.rec.Header() }

// Unwrap is for http.ResponseController, deadlines above all.
func (c *compressor) Unwrap() http.ResponseWriter { return c.rec }

func (c *compressor) WriteHeader(status int) {
	if status < 200 {
		c.rec.WriteHeader(status)
		return
	}
	if c.status != 0 {
		return
	}
	c.status = status
	h := c.Header()
	if status == http.StatusNotModified {
		if t, ok := c.tags[h.Get("ETag")]; ok {
			h.Set("ETag", t)
		}
		addVary(h, "Accept-Encoding")
	}
	if !c.eligible() {
		c.start()
	}
}

// eligible tells whether the answer could be compressed; if so, it depends on Accept-Encoding whether or not it is.
func (c *compressor) eligible() bool {
	h := c.Header()
	if c.status == http.StatusNoContent || c.status == http.StatusNotModified || c.status == http.StatusPartialContent ||
		h.Get("Content-Encoding") != "" || !compressible(h.Get("Content-Type")) || strings.Contains(h.Get("Cache-Control"), "no-transform") {
		return false
	}
	addVary(h, "Accept-Encoding")
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	return c.coding != "" && (err != nil || n >= minCompress)
}

// start lets the answer through as it is.
func (c *compressor) start() {
	c.started = true
	c.rec.WriteHeader(c.status)
}

// startCoded announces the coding.
func (c *compressor) startCoded() {
	h := c.Header()
	h.Set("Content-Encoding", c.coding)
	h.Del("Content-Length")
	h.Del("Accept-Ranges")
	if t := h.Get("ETag"); t != "" {
		h.Set("ETag", withCoding(t, c.coding))
	}
}

func (c *compressor) Write(b []byte) (int, error) {
	if c.status == 0 {
		if h := c.Header(); h.Get("Content-Type") == "" {
			h.Set("Content-Type", http.DetectContentType(b))
		}
		c.WriteHeader(http.StatusOK)
	}
	switch {
	case c.stream != nil:
		return c.stream.Write(b)
	case c.started:
		return c.rec.Write(b)
	}
	if c.held == nil {
		c.held = buffers.Get().(*bytes.Buffer)
	}
	c.held.Write(b)
	if c.held.Len() > maxHeld {
		return len(b), c.streamOn()
	}
	return len(b), nil
}

// streamOn stops holding back and compresses from here on.
func (c *compressor) streamOn() error {
	c.startCoded()
	c.start()
	c.stream = encoders[c.coding].Get().(encoder)
	c.stream.Reset(c.rec)
	if c.held == nil {
		return nil
	}
	_, err := c.stream.Write(c.held.Bytes())
	putBuffer(c.held)
	c.held = nil
	return err
}

// send answers with a representation, which knows how it looks under each coding.
func (c *compressor) send(rep *representation) {
	h := c.Header()
	v, coded := rep.under(c.coding)
	if coded {
		h["Content-Encoding"], h["Etag"] = []string{c.coding}, v.etag
	}
	if h["Vary"] == nil {
		h["Vary"] = varyCoding
	} else {
		addVary(h, "Accept-Encoding")
	}
	h["Content-Length"] = v.length
	c.status = http.StatusOK
	c.start()
	c.rec.Write(v.body) //nolint:errcheck // the client may be gone
}

// Flush implements http.Flusher.
func (c *compressor) Flush() {
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	}
	if !c.started && c.streamOn() != nil {
		return
	}
	if c.stream != nil && c.stream.Flush() != nil {
		return
	}
	c.rec.Flush()
}

// close sends what is held back. It is not called after a panic: nothing of the answer is out then, unless it streams.
func (c *compressor) close() {
	switch {
	case c.stream != nil:
		c.stream.Close() //nolint:errcheck // the client may be gone
		c.stream.Reset(nil)
		encoders[c.coding].Put(c.stream)
	case c.status != 0 && !c.started:
		c.closeHeld()
	}
}

func (c *compressor) closeHeld() {
	var body []byte
	if c.held != nil {
		body = c.held.Bytes()
		defer putBuffer(c.held)
	}
	if len(body) >= minCompress {
		coded := buffers.Get().(*bytes.Buffer)
		defer putBuffer(coded)
		if compress(coded, c.coding, body) == nil && coded.Len() < len(body) {
			c.startCoded()
			body = coded.Bytes()
		}
	}
	if c.r.Method != http.MethodHead || len(body) > 0 {
		c.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	c.start()
	c.rec.Write(body) //nolint:errcheck // the client may be gone
}
