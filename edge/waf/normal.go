package waf

import (
	"slices"
	"strings"
)

// placeholder stands for a value that is not inspected because it cannot be an attack: a number, a UUID, an opaque
// token where one belongs.
const placeholder = "0"

// harmless tells numbers, UUIDs, true, false and null: shapes in which nothing can be said.
func harmless(s string) bool {
	switch s {
	case "", "true", "false", "null":
		return true
	}
	return isNumber(s) || isUUID(s)
}

// isNumber tells a decimal number of at most 9 digits before and after the point: longer ones are at home in attacks on
// arithmetic.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, frac, point := strings.Cut(s, ".")
	return len(whole) <= 9 && isDigits(whole) && (!point || len(frac) <= 9 && isDigits(frac))
}

func isDigits(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// isUUID tells the usual form, 8-4-4-4-12 hexadecimal digits.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// maxToken bounds what counts as an opaque token.
const maxToken = 1024

// isToken tells what base64, hexadecimal digits, a signed cookie or an address is written with.
func isToken(s string) bool {
	if len(s) > maxToken {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._~=-:", rune(c)) {
			return false
		}
	}
	return true
}

// tokenHeaders carry opaque values by definition.
var tokenHeaders = map[string]bool{
	"X-Request-Id": true, "X-Request-Start": true, "Stampede-Op": true, "Traceparent": true, "Idempotency-Key": true,
	"If-Match": true, "If-None-Match": true, "X-Forwarded-For": true, "X-Real-Ip": true, "If-Modified-Since": true,
	"If-Unmodified-Since": true,
}

// normalHeader replaces a header's value by the placeholder where it is nothing but a token, date or list of such.
func normalHeader(name, value string) string {
	switch {
	case name == "Authorization":
		if scheme, token, ok := strings.Cut(value, " "); ok && (scheme == "Bearer" || scheme == "Basic") && isToken(token) {
			return scheme + " " + placeholder
		}
	case name == "Content-Length":
		if isDigits(value) && value != "0" {
			return "1"
		}
	case !tokenHeaders[name]:
	case strings.HasPrefix(name, "If-") && isTokenList(value, `W/" `), isTokenList(value, " "):
		return placeholder
	}
	return value
}

// isTokenList tells tokens parted by commas; also says which bytes more may occur. "W/" only counts as a whole.
func isTokenList(s, also string) bool {
	if len(s) > maxToken {
		return false
	}
	if strings.Contains(also, "/") {
		s = strings.ReplaceAll(s, `W/"`, `"`)
	}
	for i := range len(s) {
		c := s[i]
		if c != ',' && !isToken(string(c)) && (c == '/' || strings.IndexByte(also, c) < 0) {
			return false
		}
	}
	return true
}

// normalPath replaces the segments that are numbers or UUIDs.
func normalPath(path string) string {
	if !strings.ContainsAny(path, "0123456789") {
		return path
	}
	segments := strings.Split(path, "/")
	changed := false
	for i, s := range segments {
		if s != "" && s != placeholder && (isDigits(s) && len(s) <= 19 || isUUID(s)) {
			segments[i], changed = placeholder, true
		}
	}
	if !changed {
		return path
	}
	return strings.Join(segments, "/")
}

// longestSlug bounds, in bytes, what counts as a slug.
const longestSlug = 200

// isSlug tells a number and words that name what has it, as pages of things do: 42-walnut-desk.
func isSlug(s string) bool {
	number, words, ok := strings.Cut(s, "-")
	if !ok || len(s) > longestSlug || !isDigits(number) || len(number) > 19 || words == "" {
		return false
	}
	for i := range len(words) {
		if c := words[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// withoutSlug replaces the last segment of a path by the placeholder if it is a slug.
func withoutSlug(path string) (clean string, ok bool) {
	i := strings.LastIndexByte(path, '/') + 1
	if !isSlug(path[i:]) {
		return path, false
	}
	return path[:i] + placeholder, true
}

// normalCookies replaces in a Cookie header the values of token cookies, and those that plain takes for inspection on
// their own.
func normalCookies(header string, tokens []string, plain func(value string) bool) string {
	parts := strings.Split(header, ";")
	for i, part := range parts {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		n, v := strings.Trim(name, " "), strings.Trim(value, " ")
		if slices.Contains(tokens, n) && isToken(v) || !strings.HasPrefix(n, "$") && plain(v) {
			parts[i] = name + "=" + placeholder
		}
	}
	return strings.Join(parts, ";")
}
