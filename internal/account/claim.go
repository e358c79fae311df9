package account

import (
	"encoding/base64"
	"strings"
)

// Claimed is the user id that a Cookie header's session claims, unverified: good for counting, for nothing else. "" for none.
func Claimed(cookies string) string {
	for part := range strings.SplitSeq(cookies, ";") {
		value, ok := strings.CutPrefix(strings.TrimSpace(part), CookieName+"=")
		if !ok || len(value) > maxCookieLen {
			continue
		}
		encoded, found := strings.CutPrefix(value, cookieVersion+".")
		body, _, ok := strings.Cut(encoded, ".")
		if !found || !ok {
			continue
		}
		payload, err := base64.RawURLEncoding.DecodeString(body)
		if err != nil {
			continue
		}
		if s, _, ok := parsePayload(string(payload)); ok {
			return s.UserID
		}
	}
	return ""
}
