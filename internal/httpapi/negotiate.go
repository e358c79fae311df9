package httpapi

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// negotiate picks the content coding for an Accept-Encoding: the one with the highest q, and of several such the first
// of codings; "" is identity.
func negotiate(header string) string {
	if header == "" {
		return ""
	}
	if known, ok := usual[header]; ok {
		return known
	}
	return weigh(header)
}

// usual are the answers to what nearly every client sends.
var usual = map[string]string{"gzip": "", "identity": "", "gzip, deflate": "", "gzip, deflate, br": "", "gzip, deflate, br, zstd": "", "br": "", "zstd": ""}

func init() {
	for header := range usual {
		usual[header] = weigh(header)
	}
}

// weigh is negotiate in full.
func weigh(header string) string {
	best, bestQ, star := "", 0.0, -1.0
	named := map[string]float64{}
	for i, part := range strings.Split(header, ",") {
		if i == 32 {
			break
		}
		name, q, ok := codingQ(part)
		switch {
		case !ok:
		case name == "*":
			star = q
		default:
			named[name] = q
		}
	}
	for _, c := range codings {
		q, ok := named[c]
		if !ok && c == "gzip" {
			q, ok = named["x-gzip"]
		}
		if !ok {
			q = star
		}
		if q > bestQ {
			best, bestQ = c, q
		}
	}
	if id, ok := named["identity"]; ok && id > bestQ {
		return ""
	}
	return best
}

// codingQ reads "br;q=0.8"; without a q it is 1, and one that cannot be read drops the coding.
func codingQ(part string) (name string, q float64, ok bool) {
	name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" {
		return "", 0, false
	}
	key, value, found := strings.Cut(strings.TrimSpace(params), "=")
	if !found {
		return name, 1, strings.TrimSpace(params) == ""
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return name, q, err == nil && q >= 0 && q <= 1 && strings.EqualFold(strings.TrimSpace(key), "q")
}

// compressible tells whether a type is text of some kind.
func compressible(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch {
	case media == "text/event-stream": // must arrive line by line
		return false
	case strings.HasPrefix(media, "text/"), strings.HasSuffix(media, "+json"), strings.HasSuffix(media, "+xml"):
		return true
	}
	switch media {
	case "application/json", "application/javascript", "application/xml", "application/x-ndjson", "application/manifest+json", "application/wasm":
		return true
	}
	return false
}

// addVary adds a name to Vary once.
func addVary(h http.Header, name string) {
	for _, v := range h.Values("Vary") {
		for part := range strings.SplitSeq(v, ",") {
			if p := strings.TrimSpace(part); p == "*" || strings.EqualFold(p, name) {
				return
			}
		}
	}
	h.Add("Vary", name)
}
