package wire

import "bytes"

// Known headers, whose values Parse notes.
const (
	Host = iota
	Connection
	AcceptEncoding
	IfNoneMatch
	Cookie
	Authorization
	CacheControl
	RequestID
	ForwardedFor
	ForwardedProto
	ForwardedHost
	ContentLength
	Special // any of those after which a request is not plain: Range, If-…, TE and so on
	Unknown
)

// maxFields bounds the fields of a head; one with more is left to net/http.
const maxFields = 64

// Head is a parsed request head. Its slices point into the buffer it was parsed from.
type Head struct {
	Method, Target []byte
	Fields         [maxFields]Field
	N              int // of Fields
	Known          [Special][]byte
	Seen           uint32 // bit i: known header i is there
	Twice          uint32 // and more than once
	Size           int    // of the head in bytes, the empty line included
	Body           int64  // length of the body
	Plain          bool   // a GET or HEAD without a body, with nothing but known harmless and unknown headers
	Aside          any    // the Answerer's own, kept from one request of a connection to the next
}

// Field is one line of a head.
type Field struct{ Name, Value []byte }

// Result says what Parse found.
type Result int

const (
	More    Result = iota // the head is not complete
	OK                    // h describes a request
	Foreign               // leave it to net/http
)

// Has says whether a known header is there.
func (h *Head) Has(i int) bool { return h.Seen&(1<<i) != 0 }

// Once says whether a known header is there at most once.
func (h *Head) Once(i int) bool { return h.Twice&(1<<i) == 0 }

// Lines returns the values of a header, by its name in any case.
func (h *Head) Lines(name string) (lines []string) {
	for i := range h.N {
		if f := &h.Fields[i]; len(f.Name) == len(name) && equalFold(f.Name, name) {
			lines = append(lines, string(f.Value))
		}
	}
	return lines
}

// Parse reads a request head at the start of b. It accepts HTTP/1.1 in origin form only, with lines that end in CRLF, a
// single Host and at most one Content-Length.
func Parse(b []byte, h *Head) Result {
	if len(b) > 0 && (b[0] < 'A' || b[0] > 'Z') {
		return Foreign
	}
	end := bytes.Index(b, crlf2)
	if end < 0 {
		return suspicious(b)
	}
	h.N, h.Seen, h.Twice, h.Body, h.Size = 0, 0, 0, 0, end+4
	head := b[:end+2] // every line with its CRLF
	eol := bytes.IndexByte(head, '\n')
	if eol < 1 || head[eol-1] != '\r' || !h.requestLine(head[:eol-1]) {
		return Foreign
	}
	for rest := head[eol+1:]; len(rest) > 0; {
		eol := bytes.IndexByte(rest, '\n')
		if eol < 1 || rest[eol-1] != '\r' || h.N == maxFields || !h.field(rest[:eol-1]) {
			return Foreign
		}
		rest = rest[eol+1:]
	}
	if !h.Has(Host) || h.Twice&(1<<Host|1<<ContentLength) != 0 || !hostValid(h.Known[Host]) || !h.length() {
		return Foreign
	}
	h.Plain = h.Body == 0 && h.Seen&(1<<Special|1<<ContentLength) == 0 && (string(h.Method) == "GET" || string(h.Method) == "HEAD")
	return OK
}

var crlf2 = []byte("\r\n\r\n")

// suspicious looks at an incomplete head: one with a line feed that ends no CRLF will not become acceptable.
func suspicious(b []byte) Result {
	for i := bytes.IndexByte(b, '\n'); i >= 0; {
		if i == 0 || b[i-1] != '\r' {
			return Foreign
		}
		next := bytes.IndexByte(b[i+1:], '\n')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return More
}

// requestLine reads "METHOD SP /target SP HTTP/1.1".
func (h *Head) requestLine(line []byte) bool {
	sp := bytes.IndexByte(line, ' ')
	if sp < 1 || len(line) < sp+11 || string(line[len(line)-9:]) != " HTTP/1.1" {
		return false
	}
	h.Method, h.Target = line[:sp], line[sp+1:len(line)-9]
	for _, c := range h.Method {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	if len(h.Target) == 0 || h.Target[0] != '/' || len(h.Target) > 1 && h.Target[1] == '/' {
		return false // net/http reads //host as a path, others as an address
	}
	for _, c := range h.Target {
		if !targetChar[c] {
			return false
		}
	}
	return percentValid(h.Target)
}

// percentValid says whether each % in the path begins an escape; net/http refuses others.
func percentValid(t []byte) bool {
	for i := bytes.IndexByte(t, '%'); i >= 0; {
		if i+2 >= len(t) || !isHex(t[i+1]) || !isHex(t[i+2]) {
			return false
		}
		next := bytes.IndexByte(t[i+1:], '%')
		if next < 0 {
			return true
		}
		i += 1 + next
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// field reads "Name: value".
func (h *Head) field(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 {
		return false
	}
	name := line[:colon]
	for _, c := range name {
		if !tokenChar[c] {
			return false
		}
	}
	value := bytes.Trim(line[colon+1:], " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	h.Fields[h.N] = Field{name, value}
	h.N++
	i := classify(name)
	switch {
	case i == Unknown:
		return true
	case i == foreign:
		return false
	case h.Has(i):
		h.Twice |= 1 << i
	case i < Special:
		h.Known[i] = value
	}
	h.Seen |= 1 << i
	if i == Connection && !equalFold(value, "keep-alive") {
		return false // close, upgrade, or names of other fields
	}
	return true
}

// length reads Content-Length: digits only.
func (h *Head) length() bool {
	if !h.Has(ContentLength) {
		return true
	}
	v := h.Known[ContentLength]
	if len(v) == 0 || len(v) > 15 {
		return false
	}
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
		h.Body = h.Body*10 + int64(c-'0')
	}
	return true
}

// hostValid is stricter than net/http: letters, digits, dots, hyphens, underscores, and colon and brackets for ports and
// IPv6.
func hostValid(v []byte) bool {
	for _, c := range v {
		if !(isAlnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']') {
			return false
		}
	}
	return len(v) > 0
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
