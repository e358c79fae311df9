package replica

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func signer(t interface{ Fatal(...any) }, keys ...string) *Signer {
	var list [][]byte
	for _, k := range keys {
		list = append(list, []byte(strings.Repeat(k, 16)))
	}
	s, err := NewSigner(time.Minute, list...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTokenRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := signer(t, "k")
		at := rapid.MapOfN(rapid.StringN(0, 12, 40), rapid.Uint64(), 0, 12).Draw(t, "token")
		var tok Token
		for db, l := range at {
			tok = tok.With(db, LSN(l))
		}
		text := s.Encode(tok)
		if len(text) > MaxTokenLen {
			t.Fatalf("%d bytes", len(text))
		}
		back, err := s.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		for db, l := range at {
			if back.LSN(db) != LSN(l) {
				t.Fatalf("%q: %v became %v", db, LSN(l), back.LSN(db))
			}
		}
		if text == "" {
			return
		}
		bad := []byte(text)
		i := rapid.IntRange(0, len(bad)-1).Draw(t, "at")
		bad[i] = "AB"[b2i(bad[i] == 'A')]
		if got, err := s.Decode(string(bad)); err == nil && !sameToken(got, tok) {
			t.Fatalf("a changed text was believed: %v", got)
		}
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func sameToken(a, b Token) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func TestMergeAsksForBoth(t *testing.T) {
	t.Parallel()
	gen := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), rapid.Uint64(), 0, 3)
	make_ := func(m map[string]uint64) (t Token) {
		for db, l := range m {
			t = t.With(db, LSN(l))
		}
		return t
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := make_(gen.Draw(t, "a")), make_(gen.Draw(t, "b"))
		ab, ba := a.Merge(b), b.Merge(a)
		for _, db := range []string{"a", "b", "c"} {
			if want := max(a.LSN(db), b.LSN(db)); ab.LSN(db) != want || ba.LSN(db) != want {
				t.Fatalf("%s: %v and %v, want %v", db, ab.LSN(db), ba.LSN(db), want)
			}
		}
	})
}

func TestTokenThatIsTooLargeAsksForEverything(t *testing.T) {
	t.Parallel()
	s := signer(t, "k")
	var tok Token
	for i := range 200 {
		tok = tok.With(fmt.Sprintf("database-%d", i), LSN(i))
	}
	text := s.Encode(tok)
	back, err := s.Decode(text)
	if err != nil || len(text) > MaxTokenLen || back.LSN("database-3") != MaxLSN || back.LSN("another") != MaxLSN {
		t.Errorf("%d bytes, %v, %v", len(text), back, err)
	}
	if again, err := s.Decode(s.Encode(back.With("x", 1))); err != nil || again.LSN("y") != MaxLSN {
		t.Errorf("after a merge: %v, %v", again, err)
	}
}

func TestTokensOfOthersAndOldOnes(t *testing.T) {
	t.Parallel()
	old, now := signer(t, "o"), signer(t, "n", "o")
	tok := Token{}.With("db", 7)
	if got, err := now.Decode(old.Encode(tok)); err != nil || got.LSN("db") != 7 {
		t.Errorf("a rotated key: %v, %v", got, err)
	}
	if _, err := old.Decode(now.Encode(tok)); !errors.Is(err, ErrBadToken) {
		t.Errorf("a foreign key: %v", err)
	}
	for _, bad := range []string{"x", "AAAA", strings.Repeat("A", 100), strings.Repeat("A", 5000), "=", "ÿ"} {
		if got, err := now.Decode(bad); !errors.Is(err, ErrBadToken) || !got.Empty() {
			t.Errorf("%.10q: %v, %v", bad, got, err)
		}
	}
	text := old.Encode(tok)
	old.now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	if got, err := old.Decode(text); !errors.Is(err, ErrTokenExpired) || !got.Empty() {
		t.Errorf("an old token: %v, %v", got, err)
	}
	if _, err := NewSigner(0, []byte("short")); err == nil {
		t.Error("a short key was taken")
	}
}

func TestContextCarriesTokens(t *testing.T) {
	t.Parallel()
	s := offline(1)
	ctx, c := WithCollector(WithToken(t.Context(), Token{}.With("db", 5).With("other", 1000)))
	if s.need(ctx) != 5 {
		t.Errorf("need %v", s.need(ctx))
	}
	c.Record("db", 9)
	c.Record("db", 3)
	if s.need(ctx) != 9 || c.Token().LSN("db") != 9 || TokenFrom(ctx).LSN("db") != 5 {
		t.Errorf("after a write: need %v", s.need(ctx))
	}
	s.Require(11)
	if s.need(ctx) != 11 {
		t.Errorf("after Require: need %v", s.need(ctx))
	}
	CollectorFrom(t.Context()).Record("db", 1) // nobody collects: no harm
}

func TestSettle(t *testing.T) {
	t.Parallel()
	for in, want := range map[LSN]LSN{8192 + 24: 8192, 8192 + 32: 8192 + 32, 8192: 8192, 24: 0, 5 << 20: 5 << 20} {
		if got := in.settle(); got != want {
			t.Errorf("%v: %v, want %v", in, got, want)
		}
	}
}
