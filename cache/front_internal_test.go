package cache

import (
	"context"
	"strconv"
	"sync"
	"testing"
)

func fronted(t *testing.T) *Family[int] {
	t.Helper()
	s, err := NewStore(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return New[int](s, "row", FamilyOptions{})
}

func readInt(t *testing.T, f *Family[int], key string, loaded int) int {
	t.Helper()
	v, _, err := f.Get(context.Background(), key, func(context.Context) (int, []string, error) { return loaded, []string{"t"}, nil })
	if err != nil {
		t.Error(err)
	}
	return v
}

// What is hit gets a place in front of L1, and has none any more as soon as L1 has something else of its key, or nothing.
func TestFrontHoldsOnlyWhatL1Has(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(f *Family[int]){
		"deleted":     func(f *Family[int]) { f.l1.Invalidate("k") },
		"cleared":     func(f *Family[int]) { f.clear() },
		"pushed out":  func(f *Family[int]) { f.l1.SetMaximum(0); f.l1.CleanUp() },
		"replaced":    func(f *Family[int]) { f.keep("k", newEntry("k", 2, false, facts{dead: 1 << 62})) },
		"invalidated": func(f *Family[int]) { f.s.gens.bump([]string{"t"}); f.below("k"); readInt(t, f, "k", 2) },
	} {
		f := fronted(t)
		for i := 0; f.front.get("k") == nil; i++ {
			if readInt(t, f, "k", 1); i > 100*noticeEvery {
				t.Fatal("never in front")
			}
		}
		old := f.front.get("k")
		end(f)
		if f.front.get("k") != nil {
			t.Errorf("%s, and still in front", name)
		}
		if f.front.put(old); f.front.get("k") != nil {
			t.Errorf("%s, and in front again", name)
		}
	}
}

// Whatever readers and writers do at once, in the end the front has nothing that L1 does not have.
func TestFrontUnderFire(t *testing.T) {
	t.Parallel()
	f := fronted(t)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 5000 {
				key := strconv.Itoa(i * (g + 1) % 17)
				switch i % 50 {
				case 7:
					f.l1.Invalidate(key)
				case 19:
					f.s.gens.bump([]string{"t"})
				default:
					readInt(t, f, key, i)
				}
			}
		})
	}
	wg.Wait()
	for i := range f.front.slots {
		if e := f.front.slots[i].entry.Load(); e != nil {
			if kept, ok := f.l1.GetEntryQuietly(e.key); !ok || kept.Value != e {
				t.Errorf("%s is in front and not in L1", e.key)
			}
		}
	}
}
