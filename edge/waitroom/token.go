package waitroom

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// token is a place as the shopper keeps it.
type token struct {
	number int64
	issued time.Time // whole seconds
}

const (
	tokenVersion = 1
	macLen       = 16
	tokenLen     = 1 + 8 + 8 + macLen
	tokenLabel   = "stampede place v1\n" // keeps signatures of other things made with the same key apart
)

var encoding = base64.RawURLEncoding.Strict()

// seal makes the cookie's value for a place in a room, good for that session alone.
func (t token) seal(key []byte, room, session string) string {
	b := make([]byte, 0, tokenLen)
	b = append(b, tokenVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(t.number))
	b = binary.BigEndian.AppendUint64(b, uint64(t.issued.Unix()))
	return encoding.EncodeToString(append(b, sign(key, b, room, session)...))
}

// open reads what seal made with one of the keys, for that room and session.
func open(keys [][]byte, value, room, session string) (token, bool) {
	if len(value) != encoding.EncodedLen(tokenLen) {
		return token{}, false
	}
	b, err := encoding.DecodeString(value)
	if err != nil || b[0] != tokenVersion {
		return token{}, false
	}
	body, mac := b[:tokenLen-macLen], b[tokenLen-macLen:]
	for _, key := range keys {
		if hmac.Equal(mac, sign(key, body, room, session)) {
			return token{int64(binary.BigEndian.Uint64(b[1:])), time.Unix(int64(binary.BigEndian.Uint64(b[9:])), 0)}, true
		}
	}
	return token{}, false
}

func sign(key, body []byte, room, session string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(tokenLabel))
	h.Write(body)
	h.Write([]byte(room)) // of letters, digits and hyphens: cannot run into the session
	h.Write([]byte{0})
	h.Write([]byte(session))
	return h.Sum(nil)[:macLen]
}
