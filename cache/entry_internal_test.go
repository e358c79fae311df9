package cache

import (
	"strings"
	"testing"
	"unsafe"
)

// TestEntryFillsItsLine: an entry with a short key and a pointer is three whole lines of memory, of which a hit needs the first.
func TestEntryFillsItsLine(t *testing.T) {
	t.Parallel()
	var e entry[*int]
	if size, first := unsafe.Sizeof(e), unsafe.Offsetof(e.facts); size != 192 || first != 64 {
		t.Errorf("%d bytes, the first %d for hits; want 192 and 64", size, first)
	}
}

// TestEntryKeepsItsKey, short or long, whatever becomes of the caller's memory; only short ones are its own.
func TestEntryKeepsItsKey(t *testing.T) {
	t.Parallel()
	for n := range 40 {
		want := strings.Repeat("k", n)
		theirs := []byte(want)
		e := newEntry(unsafe.String(unsafe.SliceData(theirs), n), 1, false, facts{})
		if e.key != want {
			t.Fatalf("%q, want %q", e.key, want)
		}
		clear(theirs)
		if short := n <= len(e.short); short && e.key != want {
			t.Errorf("a key of %d bytes is not its own: %q", n, e.key)
		}
	}
	slots := []uint32{1, 2, 3}
	e := newEntry("k", 1, false, facts{slots: slots})
	if slots[0] = 9; e.slots[0] != 1 {
		t.Error("slots are another's")
	}
}
