package account

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// Claimed is the user id that a session cookie claims, unverified: good for counting, for nothing else. "" for none.
func Claimed(cookies string) string {
	lines, err := http.ParseCookie(cookies)
	if err != nil {
		return ""
	}
	for _, c := range lines {
		if c.Name != CookieName || len(c.Value) > maxCookieLen {
			continue
		}
		encoded, found := strings.CutPrefix(c.Value, cookieVersion+".")
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
