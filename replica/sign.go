package replica

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Errors of a text that is to become a token. Neither is worth an answer: the session goes on with an empty token.
var (
	ErrBadToken     = errors.New("replica: not a token of ours")
	ErrTokenExpired = errors.New("replica: the token has expired")
)

// MaxTokenLen bounds an encoded token, in bytes. A token that would be longer asks for everything instead, which only the primary
// has.
const MaxTokenLen = 1024

// DefaultTokenTTL is how long a token means something. It must be longer than MaxLag: what a replica in use has replayed for
// certain needs no token.
const DefaultTokenTTL = 10 * time.Minute

// Signer turns tokens into texts that a client can keep, and back. It is safe for concurrent use.
type Signer struct {
	keys [][]byte
	ttl  time.Duration
	now  func() time.Time
}

// NewSigner signs with the first key and accepts all of them, so that keys can be rotated; at least one is needed, of 16 bytes or
// more. ttl 0 means DefaultTokenTTL.
func NewSigner(ttl time.Duration, keys ...[]byte) (*Signer, error) {
	if len(keys) == 0 {
		return nil, errors.New("replica: a signer needs a key")
	}
	for _, k := range keys {
		if len(k) < 16 {
			return nil, errors.New("replica: a signer's key needs 16 bytes or more")
		}
	}
	def(&ttl, DefaultTokenTTL)
	return &Signer{keys: keys, ttl: ttl, now: time.Now}, nil
}

// TTL is how long a token means something.
func (s *Signer) TTL() time.Duration { return s.ttl }

const (
	tokenVersion = 1
	flagAll      = 1
	macLen       = 16
)

// Encode is the signed text of a token, in characters that a cookie may have; "" for an empty token.
func (s *Signer) Encode(t Token) string {
	if t.Empty() {
		return ""
	}
	body := s.body(t)
	if base64.RawURLEncoding.EncodedLen(len(body)+macLen) > MaxTokenLen {
		body = s.body(Token{all: true})
	}
	return base64.RawURLEncoding.EncodeToString(append(body, mac(s.keys[0], body)...))
}

// body is version, flags, time of issue, and for each database its name and position.
func (s *Signer) body(t Token) []byte {
	b := []byte{tokenVersion, 0}
	b = binary.AppendUvarint(b, uint64(s.now().Unix())) //nolint:gosec // after 1970
	if t.all {
		b[1] = flagAll
		return b
	}
	for _, p := range t.at {
		b = binary.AppendUvarint(b, uint64(len(p.database)))
		b = append(b, p.database...)
		b = binary.AppendUvarint(b, uint64(p.lsn))
	}
	return b
}

func mac(key, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("stampede causal token\n")) // a key that signs other things too cannot be made to sign this
	h.Write(body)
	return h.Sum(nil)[:macLen]
}

// Decode is the token of a text that Encode made: ErrBadToken for anything else, ErrTokenExpired for an old one. Either way the token
// is empty.
func (s *Signer) Decode(text string) (Token, error) {
	if text == "" {
		return Token{}, nil
	}
	if len(text) > MaxTokenLen {
		return Token{}, fmt.Errorf("%w: too long", ErrBadToken)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < macLen+3 || raw[0] != tokenVersion {
		return Token{}, ErrBadToken
	}
	body, sum := raw[:len(raw)-macLen], raw[len(raw)-macLen:]
	if !slices.ContainsFunc(s.keys, func(k []byte) bool { return hmac.Equal(sum, mac(k, body)) }) {
		return Token{}, fmt.Errorf("%w: signature", ErrBadToken)
	}
	return s.parse(body[1], body[2:])
}

func (s *Signer) parse(flags byte, b []byte) (Token, error) {
	issued, n := binary.Uvarint(b)
	if n <= 0 {
		return Token{}, ErrBadToken
	}
	if age := s.now().Sub(time.Unix(int64(issued), 0)); age > s.ttl { //nolint:gosec // we signed it
		return Token{}, ErrTokenExpired
	}
	t := Token{all: flags&flagAll != 0}
	for b = b[n:]; len(b) > 0; {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return Token{}, ErrBadToken
		}
		name := string(b[n : n+int(length)]) //nolint:gosec // bounded by the text
		b = b[n+int(length):]                //nolint:gosec // the same
		l, n := binary.Uvarint(b)
		if n <= 0 {
			return Token{}, ErrBadToken
		}
		b = b[n:]
		t = t.With(name, LSN(l))
	}
	return t, nil
}
