package httpcache

import (
	"strings"
	"time"
)

// maxDelta is what any larger number of seconds means (RFC 9111, section 1.2.2).
const maxDelta = 1 << 31

// directives are what a Cache-Control field, or one that stands in for it, says.
type directives struct {
	noStore, noCache, private, public         bool
	mustRevalidate, proxyRevalidate, mustKnow bool
	onlyIfCached                              bool
	maxAge, sMaxAge, swr, sie                 delta
	maxStale, minFresh                        delta
	omit                                      []string // fields that must not be kept
}

// delta is a number of seconds that may have been said.
type delta struct {
	set bool
	d   time.Duration
}

// parseControl reads Cache-Control. Names count in any case. A number that is none counts as 0, and of several the
// smallest counts, so that a mistake makes an answer stale rather than fresh.
func parseControl(lines []string) directives {
	var d directives
	for _, line := range lines {
		eachDirective(line, func(name, value string, quoted bool) { d.add(name, value, quoted) })
	}
	return d
}

func (d *directives) add(name, value string, quoted bool) {
	switch name {
	case "no-store":
		d.noStore = true
	case "no-cache":
		d.fields(&d.noCache, value)
	case "private":
		d.fields(&d.private, value)
	case "public":
		d.public = true
	case "must-revalidate":
		d.mustRevalidate = true
	case "proxy-revalidate":
		d.proxyRevalidate = true
	case "must-understand":
		d.mustKnow = true
	case "only-if-cached":
		d.onlyIfCached = true
	case "max-age":
		d.maxAge.add(value)
	case "s-maxage":
		d.sMaxAge.add(value)
	case "stale-while-revalidate":
		d.swr.add(value)
	case "stale-if-error":
		d.sie.add(value)
	case "min-fresh":
		d.minFresh.add(value)
	case "max-stale":
		if value == "" && !quoted {
			value = "2147483648" // any staleness
		}
		d.maxStale.add(value)
	}
}

// fields handles no-cache and private: with names they concern only these fields.
func (d *directives) fields(whole *bool, names string) {
	n := 0
	for name := range strings.SplitSeq(names, ",") {
		if name = strings.TrimSpace(name); isToken(name) {
			d.omit = append(d.omit, name)
			n++
		}
	}
	if n == 0 {
		*whole = true
	}
}

func (v *delta) add(s string) {
	n := seconds(s)
	if !v.set || n < v.d {
		v.set, v.d = true, n
	}
}

// seconds reads delta-seconds; anything else is 0.
func seconds(s string) time.Duration {
	if s == "" {
		return 0
	}
	n := int64(0)
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0
		}
		n = min(n*10+int64(s[i]-'0'), maxDelta)
	}
	return time.Duration(n) * time.Second
}

// eachDirective calls f with the lower-case name and the unquoted value of each well-formed member of a list of
// token[=(token|quoted-string)]. What is not well formed is skipped up to the next comma outside quotes.
func eachDirective(s string, f func(name, value string, quoted bool)) {
	for len(s) > 0 {
		member := s
		if i := listEnd(s); i < len(s) {
			member, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		member = strings.Trim(member, " \t")
		name, value, has := strings.Cut(member, "=")
		if !isToken(name) {
			continue
		}
		quoted := false
		if has && strings.HasPrefix(value, `"`) {
			if value, quoted = unquote(value); !quoted {
				continue
			}
		} else if has && strings.ContainsAny(value, " \t") {
			continue
		}
		f(strings.ToLower(name), value, quoted)
	}
}

// listEnd is where the first member of a list ends: at a comma outside quotes, or at the end.
func listEnd(s string) int {
	inside := false
	for i := 0; i < len(s); i++ {
		switch {
		case inside && s[i] == '\\':
			i++
		case s[i] == '"':
			inside = !inside
		case s[i] == ',' && !inside:
			return i
		}
	}
	return len(s)
}

// unquote reads a quoted-string that fills s.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), i == len(s)-1
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", false
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenChar(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
