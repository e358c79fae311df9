package account

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// cheap makes tests fast; the real cost is checked once.
var cheap = argonParams{Memory: 64, Time: 1, Threads: 1}

func TestHashAndVerify(t *testing.T) {
	t.Parallel()
	h := newHasher(defaultParams)
	phc, err := h.hash(t.Context(), "correct horse")
	if err != nil || !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%s %v", phc, err)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horse ": false, "": false} {
		if ok, err := h.verify(t.Context(), phc, password); ok != want || err != nil {
			t.Errorf("%q: %v %v", password, ok, err)
		}
	}
	other, _ := h.hash(t.Context(), "correct horse")
	if other == phc {
		t.Error("no salt")
	}
}

// The reference implementation's own test vector (argon2 test.c): password "password", salt "somesalt", m=65536, t=2, p=1.
func TestKnownHash(t *testing.T) {
	t.Parallel()
	const phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, err := newHasher(cheap).verify(t.Context(), phc, "password"); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
}

func TestBadHashes(t *testing.T) {
	t.Parallel()
	h := newHasher(cheap)
	good, _ := h.hash(t.Context(), "x")
	for _, bad := range []string{"", "x", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=64", "m=99999999", 1), strings.Replace(good, "t=1", "t=0", 1), strings.Replace(good, "p=1", "p=0", 1), good + "$x",
		good[:strings.LastIndexByte(good, '$')+1], strings.Replace(good, "m=64", "m=-1", 1)} {
		if ok, err := h.verify(t.Context(), bad, "x"); ok || !errors.Is(err, errBadHash) {
			t.Errorf("%q: %v %v", bad, ok, err)
		}
	}
}

func TestHashesAreBounded(t *testing.T) {
	t.Parallel()
	h := newHasher(cheap)
	for range cap(h.slots) {
		h.slots <- struct{}{}
	}
	h.wait = time.Millisecond
	if _, err := h.hash(t.Context(), "x"); shop.CodeOf(err) != shop.CodeUnavailable {
		t.Errorf("all slots taken: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.wait = time.Hour
	if _, err := h.hash(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits any more: %v", err)
	}
	<-h.slots
	if _, err := h.hash(t.Context(), "x"); err != nil {
		t.Errorf("a slot is free: %v", err)
	}
}

func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$c29tZXNhbHRzb21lc2FsdA")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, salt, key, err := parsePHC(s)
		if err == nil && (p.Memory > maxMemory || p.Time == 0 || p.Time > maxTime || p.Threads == 0 || len(salt) < 8 || len(key) < 16) {
			t.Fatalf("%q: %+v", s, p)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	h := newHasher(defaultParams)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.hash(b.Context(), "correct horse"); err != nil {
			b.Fatal(err)
		}
	}
}
