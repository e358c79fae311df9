package shard

import (
	"crypto/md5"
	"strings"
	"testing"
)

// Every length around the ends of a block and of the buffer, so that both ways of hashing are seen, and where they meet.
func TestDigestIsMD5(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("All wool and a yard wide. \x00\xff", 10)
	for n := range 200 {
		if got, want := locate(text[:n]), pointOf(md5.Sum([]byte(text[:n]))); got != want {
			t.Fatalf("%d bytes: got %x, want %x", n, got, want)
		}
	}
	if !direct {
		t.Error("the library's state has another form now: digestShort is not used, lookups are slower")
	}
}
