package shard

import (
	"cmp"
	"crypto/md5"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func isMD5(t interface{ Fatalf(string, ...any) }, key string) {
	want := pointOf(md5.Sum([]byte(key)))
	if got := digest(key); got != want {
		t.Fatalf("digest of %q: got %x, want %x", key, got, want)
	}
	if len(key) <= oneBlock && lead(key) != want.lead() {
		t.Fatalf("lead of %q: got %x, want %x", key, lead(key), want.lead())
	}
}

// Every length around the ends of a word, a block and the buffer.
func TestDigestIsMD5(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("All wool and a yard wide. \x00\xff", 10)
	for n := range 200 {
		isMD5(t, text[:n])
	}
	rapid.Check(t, func(t *rapid.T) { isMD5(t, string(rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "key"))) })
}

func FuzzDigest(f *testing.F) {
	for _, key := range []string{"", "a", "42", "12345678", "0192f0c1-2d3e-7f80-9abc-def012345678", strings.Repeat("\xff", oneBlock), strings.Repeat("x", oneBlock+1)} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) { isMD5(t, key) })
}

// ringAt has places at the given points, each with an owner of its own: the number of the point.
func ringAt(points []point) *Ring {
	r := &Ring{}
	for _, p := range points {
		r.places = append(r.places, place{p, int32(len(r.places))})
	}
	slices.SortFunc(r.places, func(a, b place) int { return cmp.Or(a.compare(b.point), cmp.Compare(a.owner, b.owner)) })
	r.index = newIndex(r.places)
	return r
}

// first is the definition: the place at or after p, the first one if there is none.
func first(places []place, p point) int32 {
	for _, at := range places {
		if at.compare(p) >= 0 {
			return at.owner
		}
	}
	return places[0].owner
}

// Places that begin as a key's digest does are what real rings hardly ever have.
func TestPlacesNextToAKey(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.StringN(1, 60, -1), 1, 8).Draw(t, "keys")
		points := []point{{}, {math.MaxUint64, math.MaxUint64}}[:rapid.IntRange(0, 2).Draw(t, "ends")]
		for range rapid.IntRange(1, 12).Draw(t, "places") {
			p := digest(rapid.SampledFrom(keys).Draw(t, "key"))
			p.hi += rapid.SampledFrom([]uint64{0, 1, math.MaxUint64, 1 << 31, 1 << 32, (1<<32 - 1) << 32}).Draw(t, "hi")
			p.lo += rapid.SampledFrom([]uint64{0, 1, math.MaxUint64}).Draw(t, "lo")
			points = append(points, p)
		}
		r := ringAt(points)
		for _, key := range keys {
			if got, want := r.ownerOf(key), first(r.places, digest(key)); got != want {
				t.Fatalf("owner of %q: place %d, want %d", key, got, want)
			}
		}
	})
}

func TestReachIsTheFirstPlaceAtOrAfter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		near := rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(0, 5), rapid.Uint32Range(math.MaxUint32-5, math.MaxUint32)) // some crowd into one slot
		var points []point
		for _, l := range rapid.SliceOfN(near, 1, 40).Draw(t, "leads") {
			points = append(points, point{hi: uint64(l) << 32})
		}
		r := ringAt(points)
		l := near.Draw(t, "lead")
		want := slices.IndexFunc(r.places, func(p place) bool { return p.lead() >= l })
		if want < 0 {
			want = len(points)
		}
		if got := r.index.reach(l); got != want {
			t.Fatalf("reach(%x) = %d, want %d of %v", l, got, want, r.places)
		}
	})
}
