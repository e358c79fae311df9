package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/stampede-shop/stampede/internal/shop"
)

// argonParams are the cost of one hash; Memory in KiB.
type argonParams struct {
	Memory  uint32
	Time    uint32
	Threads uint8
}

// defaultParams is the minimum that OWASP recommends: strong enough, and cheap enough for a sale's sign-ins.
var defaultParams = argonParams{Memory: 19 * 1024, Time: 2, Threads: 1}

const (
	saltLen     = 16
	hashLen     = 32
	hashMaxWait = 3 * time.Second // for a free slot; after that the shopper is asked to come back
	maxMemory   = 1 << 20         // KiB: a stored hash that asks for more is not ours
	maxTime     = 64
)

var errBadHash = errors.New("account: not an argon2id hash in PHC form")

// hasher computes argon2id hashes, at most as many at once as it has slots.
type hasher struct {
	slots  chan struct{}
	params argonParams
	wait   time.Duration
}

func newHasher(p argonParams) *hasher {
	return &hasher{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), params: p, wait: hashMaxWait}
}

// hash returns the PHC string of a password under a fresh salt.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltLen)
	rand.Read(salt) //nolint:errcheck // never fails: it aborts the process instead
	key, err := h.derive(ctx, password, salt, h.params, hashLen)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.params.Memory, h.params.Time, h.params.Threads, b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// verify tells whether the password made the hash.
func (h *hasher) verify(ctx context.Context, phc, password string) (bool, error) {
	p, salt, want, err := parsePHC(phc)
	if err != nil {
		return false, err
	}
	got, err := h.derive(ctx, password, salt, p, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// derive waits for a slot, so that a rush of sign-ins takes a bounded amount of memory and processor.
func (h *hasher) derive(ctx context.Context, password string, salt []byte, p argonParams, n uint32) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, h.wait)
	defer cancel()
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, &shop.Error{Code: shop.CodeUnavailable, Err: ctx.Err(),
			Detail: "too many sign-ins are under way: try again in a moment"}
	}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(password), salt, p.Time, p.Memory, p.Threads, n), nil
}

// parsePHC reads "$argon2id$v=19$m=…,t=…,p=…$salt$hash".
func parsePHC(phc string) (p argonParams, salt, key []byte, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, errBadHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.Memory, &p.Time, &p.Threads); err != nil || n != 3 {
		return p, nil, nil, errBadHash
	}
	if p.Memory > maxMemory || p.Time == 0 || p.Time > maxTime || p.Threads == 0 {
		return p, nil, nil, errBadHash
	}
	b64 := base64.RawStdEncoding.Strict()
	if salt, err = b64.DecodeString(parts[4]); err != nil || len(salt) < 8 {
		return p, nil, nil, errBadHash
	}
	if key, err = b64.DecodeString(parts[5]); err != nil || len(key) < 16 || len(key) > 128 {
		return p, nil, nil, errBadHash
	}
	return p, salt, key, nil
}
