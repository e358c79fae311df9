package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

const (
	etagHashLen  = 16 // hex digits
	maxETags     = 50
	maxETagBytes = 4096
)

// codings are the content codings whose name may end an entity tag: "5-0123abcd-zstd".
var codings = []string{"zstd", "br", "gzip"}

// bodyETag is the strong validator of a representation. A product's starts with its version (0 leaves it out); the
// hash covers what changes without a new version, such as availability, and headers that belong to the answer.
func bodyETag(version int64, body []byte, headers ...string) string {
	h := sha256.New()
	h.Write(body)
	for _, s := range headers {
		h.Write([]byte{0})
		h.Write([]byte(s))
	}
	sum := hex.EncodeToString(h.Sum(nil))[:etagHashLen]
	if version == 0 {
		return `"` + sum + `"`
	}
	return `"` + strconv.FormatInt(version, 10) + "-" + sum + `"`
}

// etagVersion is the product version that an entity tag of ours names.
func etagVersion(tag string) (int64, bool) {
	tag = strings.Trim(stripCoding(tag), `"`)
	head, hash, found := strings.Cut(tag, "-")
	if !found || len(hash) != etagHashLen {
		return 0, false
	}
	v, err := strconv.ParseInt(head, 10, 64)
	return v, err == nil && v > 0
}

// withCoding is the tag of the same representation under a content coding.
func withCoding(tag, coding string) string {
	if len(tag) < 2 || tag[len(tag)-1] != '"' {
		return tag
	}
	return tag[:len(tag)-1] + "-" + coding + `"`
}

// stripCoding is the inverse of withCoding; a tag without a coding stays as it is.
func stripCoding(tag string) string {
	for _, c := range codings {
		if t, ok := strings.CutSuffix(tag, "-"+c+`"`); ok {
			return t + `"`
		}
	}
	return tag
}

// parseETags reads a comma-separated list of entity tags; ok is false when it is not one.
func parseETags(list string) (tags []string, ok bool) {
	if len(list) > maxETagBytes {
		return nil, false
	}
	for rest := strings.TrimLeft(list, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
		start := 0
		if strings.HasPrefix(rest, "W/") {
			start = 2
		}
		if len(rest) <= start || rest[start] != '"' {
			return nil, false
		}
		end := strings.IndexByte(rest[start+1:], '"')
		if end < 0 || len(tags) == maxETags {
			return nil, false
		}
		end += start + 2
		tag := rest[:end]
		if strings.ContainsFunc(tag, func(r rune) bool { return r < 0x21 || r == 0x7f }) {
			return nil, false
		}
		tags, rest = append(tags, tag), strings.TrimLeft(rest[end:], " \t")
		if rest != "" && rest[0] != ',' {
			return nil, false
		}
	}
	return tags, len(tags) > 0
}

// noneMatch tells whether If-None-Match names the tag, by weak comparison and under any content coding.
// A header that cannot be read is ignored: the answer is then a full one.
func noneMatch(r *http.Request, tag string) bool {
	values := r.Header["If-None-Match"]
	if values == nil {
		return false
	}
	list := strings.Join(values, ",")
	if strings.TrimSpace(list) == "*" {
		return true
	}
	tags, _ := parseETags(list)
	return slices.ContainsFunc(tags, func(t string) bool { return stripCoding(strings.TrimPrefix(t, "W/")) == tag })
}

// precondition reads If-Match. versions holds those that would do; any is true for no header and for *.
func precondition(r *http.Request) (versions []int64, any bool, err error) {
	values := r.Header.Values("If-Match")
	list := strings.Join(values, ",")
	if len(values) == 0 || strings.TrimSpace(list) == "*" {
		return nil, true, nil
	}
	tags, ok := parseETags(list)
	if !ok {
		return nil, false, &shop.Error{Code: shop.CodeMalformed,
			Detail: "If-Match is not a list of entity tags: send the ETag as GET gave it, quotes included",
			Fields: []shop.FieldError{{Field: "If-Match", Message: "must be entity tags in quotes, or *"}}}
	}
	for _, t := range tags {
		if v, ok := etagVersion(t); ok { // a weak tag never matches here (RFC 9110, 13.1.1)
			versions = append(versions, v)
		}
	}
	if len(versions) == 0 {
		return nil, false, errOldVersion()
	}
	return versions, false, nil
}

func errOldVersion() error {
	return shop.Errorf(shop.CodePreconditionFailed, "the product is not at the version of If-Match: read it again, then repeat the edit")
}
