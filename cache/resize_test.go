package cache_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/stampede-shop/stampede/cache"
)

// A smaller memory is given back at once, and filled again when it may be.
func TestResize(t *testing.T) {
	t.Parallel()
	s, err := cache.NewStore(cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	f := cache.New[string](s, "things", cache.FamilyOptions{L1Bytes: 1 << 20})
	value := string(make([]byte, 1000))
	fill := func() (bytes uint64) {
		for i := range 2000 {
			if _, _, err := f.Get(t.Context(), strconv.Itoa(i), func(context.Context) (string, []string, error) { return value, nil, nil }); err != nil {
				t.Fatal(err)
			}
		}
		for _, st := range s.Stats().Families {
			bytes += st.L1Bytes
		}
		return bytes
	}
	whole := fill()
	s.Resize(0.25)
	if part := fill(); part > whole/2 {
		t.Errorf("%d bytes of %d at a quarter", part, whole)
	}
	s.Resize(7)
	if again := fill(); again < whole*3/4 {
		t.Errorf("%d bytes after it grew again, %d before", again, whole)
	}
}
