package wire

import "strings"

// foreign marks headers with which a request is left to net/http, the rest of the connection too.
const foreign = Unknown + 1

// names by length, so that most headers are told apart by that alone. All in lower case.
var names = func() (byLen [32][]struct {
	name string
	kind int
}) {
	for name, kind := range map[string]int{
		"host": Host, "connection": Connection, "accept-encoding": AcceptEncoding, "if-none-match": IfNoneMatch, "cookie": Cookie,
		"authorization": Authorization, "cache-control": CacheControl, "x-request-id": RequestID, "x-forwarded-for": ForwardedFor,
		"x-forwarded-proto": ForwardedProto, "x-forwarded-host": ForwardedHost, "content-length": ContentLength,

		"range": Special, "if-range": Special, "if-match": Special, "if-modified-since": Special, "if-unmodified-since": Special,

		"transfer-encoding": foreign, "te": foreign, "trailer": foreign, "upgrade": foreign, "expect": foreign, "keep-alive": foreign,
		"proxy-connection": foreign, "http2-settings": foreign, "proxy-authorization": foreign,
	} {
		byLen[len(name)] = append(byLen[len(name)], struct {
			name string
			kind int
		}{name, kind})
	}
	return byLen
}()

func classify(name []byte) int {
	if len(name) >= len(names) {
		return Unknown
	}
	for i := range names[len(name)] {
		if n := &names[len(name)][i]; equalFold(name, n.name) {
			return n.kind
		}
	}
	return Unknown
}

// equalFold compares ASCII without regard to case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if lower[b[i]] != lower[s[i]] {
			return false
		}
	}
	return true
}

var lower, tokenChar, targetChar = func() (low [256]byte, token, target [256]bool) {
	for i := range 256 {
		c := byte(i)
		low[i] = c
		if 'A' <= c && c <= 'Z' {
			low[i] = c | 0x20
		}
		token[i] = isAlnum(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
		target[i] = isAlnum(c) || strings.IndexByte("-._~/?%&=+:;,@!$'()*", c) >= 0
	}
	return low, token, target
}()
