package account

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Session is a shopper as one request sees them. Every shopper has a UserID; ID is the sign-in, "" for a guest.
type Session struct {
	UserID string
	ID     string
}

// SignedIn tells an account holder from a guest.
func (s Session) SignedIn() bool { return s.ID != "" }

const (
	cookieVersion = "1"
	macLabel      = "stampede sid v1\n" // keeps signatures of other things made with the same key apart
	maxIDLen      = 64
	maxCookieLen  = 512
	clockSkew     = 5 * time.Minute // how far ahead another process's clock may be
)

// encodeCookie makes "1.<payload>.<mac>"; the payload is user id, session id and Unix seconds, joined by '|'.
func encodeCookie(key []byte, s Session, issued time.Time) string {
	payload := s.UserID + "|" + s.ID + "|" + strconv.FormatInt(issued.Unix(), 10)
	body := cookieVersion + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return body + "." + base64.RawURLEncoding.EncodeToString(sign(key, body))
}

// decodeCookie returns what a cookie says, if one of the keys signed it.
func decodeCookie(keys [][]byte, value string) (s Session, issued time.Time, ok bool) {
	dot := strings.LastIndexByte(value, '.')
	if len(value) > maxCookieLen || dot < 0 {
		return Session{}, time.Time{}, false
	}
	body := value[:dot]
	mac, err := base64.RawURLEncoding.Strict().DecodeString(value[dot+1:])
	if err != nil || !signedByAny(keys, body, mac) {
		return Session{}, time.Time{}, false
	}
	encoded, found := strings.CutPrefix(body, cookieVersion+".")
	if !found {
		return Session{}, time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return Session{}, time.Time{}, false
	}
	return parsePayload(string(payload))
}

func parsePayload(payload string) (Session, time.Time, bool) {
	parts := strings.Split(payload, "|")
	if len(parts) != 3 || !plainID(parts[0]) || (parts[1] != "" && !plainID(parts[1])) {
		return Session{}, time.Time{}, false
	}
	sec, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return Session{}, time.Time{}, false
	}
	return Session{UserID: parts[0], ID: parts[1]}, time.Unix(sec, 0), true
}

func sign(key []byte, body string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(macLabel))
	h.Write([]byte(body))
	return h.Sum(nil)
}

func signedByAny(keys [][]byte, body string, mac []byte) bool {
	ok := false
	for _, k := range keys { // all of them, so that the time taken does not tell which
		ok = hmac.Equal(mac, sign(k, body)) || ok
	}
	return ok
}

// plainID accepts what our ids are made of, so that nothing else ever reaches storage.
func plainID(id string) bool {
	if id == "" || len(id) > maxIDLen {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
