package cache

import (
	"context"
	"testing"
)

// After Forget nothing is answered from L1, whatever was there.
func TestForgetDropsL1(t *testing.T) {
	t.Parallel()
	s, err := NewStore(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := New[int](s, "numbers", FamilyOptions{})
	loads := 0
	get := func() {
		t.Helper()
		if _, _, err := f.Get(t.Context(), "one", func(context.Context) (int, []string, error) { loads++; return 1, nil, nil }); err != nil {
			t.Fatal(err)
		}
	}
	get()
	get()
	if loads != 1 {
		t.Fatalf("%d loads before", loads)
	}
	s.Forget()
	get()
	if loads != 2 {
		t.Errorf("%d loads after", loads)
	}
}
