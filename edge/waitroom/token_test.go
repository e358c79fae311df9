package waitroom

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	keyA = bytes.Repeat([]byte("a"), 32)
	keyB = bytes.Repeat([]byte("b"), 32)
)

// A place is good for the session and room it was made for, under a key that is still valid, and for nothing else.
func TestTokensCannotBeMadeUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := token{rapid.Int64Range(1, 1<<62).Draw(t, "number"), time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "issued"), 0)}
		value := in.seal(keyA, "lamps", "ann")
		for _, keys := range [][][]byte{{keyA}, {keyB, keyA}} {
			if out, ok := open(keys, value, "lamps", "ann"); !ok || out != in {
				t.Fatalf("%+v became %+v, %v", in, out, ok)
			}
		}
		for _, other := range []struct {
			keys          [][]byte
			room, session string
		}{{[][]byte{keyB}, "lamps", "ann"}, {[][]byte{keyA}, "lamp", "sann"}, {[][]byte{keyA}, "lamps", "bob"}, {nil, "lamps", "ann"}, {[][]byte{keyA}, "shop", "ann"}} {
			if _, ok := open(other.keys, value, other.room, other.session); ok {
				t.Fatalf("good for %+v", other)
			}
		}
		forged := []byte(value)
		i := rapid.IntRange(0, len(forged)-1).Draw(t, "where")
		if c := rapid.ByteRange(33, 126).Draw(t, "what"); c != forged[i] {
			forged[i] = c
			if _, ok := open([][]byte{keyA}, string(forged), "lamps", "ann"); ok {
				t.Fatalf("%s passes for %s", forged, value)
			}
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add(token{1, time.Unix(1, 0)}.seal(keyA, "lamps", "ann"))
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		if in, ok := open([][]byte{keyA}, value, "lamps", "ann"); ok && in.seal(keyA, "lamps", "ann") != value {
			t.Fatalf("%q was not made by us", value)
		}
	})
}
