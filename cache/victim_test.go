package cache

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Against a list in the order of arrival: what does not fit any more goes, oldest first.
func TestVictims(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		const max = 100
		type value struct {
			key string
			e   *entry[int]
		}
		v := newVictims[int](max)
		var model []value
		weigh := func() (n int) {
			for _, m := range model {
				n += int(m.e.weight)
			}
			return n
		}
		remove := func(key string) (e *entry[int]) {
			model = slices.DeleteFunc(model, func(m value) bool {
				if m.key == key {
					e = m.e
				}
				return m.key == key
			})
			return e
		}
		key := rapid.Custom(func(t *rapid.T) string { return strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "n")) })
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				k, w := key.Draw(rt, "key"), rapid.Uint32Range(1, 130).Draw(rt, "weight")
				remove(k)
				want := uint64(0)
				e := newEntry("", 0, false, facts{weight: w})
				if w > max {
					want = 1
				} else {
					model = append(model, value{k, e})
					for weigh() > max {
						model = model[1:]
						want++
					}
				}
				if lost := v.put(k, e); lost != want {
					rt.Fatalf("%d lost, want %d", lost, want)
				}
			},
			"take": func(rt *rapid.T) {
				k := key.Draw(rt, "key")
				if got, want := v.take(k), remove(k); got != want {
					rt.Fatalf("took %v, want %v", got, want)
				}
			},
			"clear": func(*rapid.T) { v.clear(); model = nil },
			"": func(rt *rapid.T) {
				var got, want []*entry[int]
				v.each(func(_ string, e *entry[int]) bool { got = append(got, e); return true })
				for _, m := range slices.Backward(model) {
					want = append(want, m.e)
				}
				if n, bytes := v.size(); !slices.Equal(got, want) || n != len(model) || bytes != uint64(weigh()) {
					rt.Fatalf("%d of %d bytes: %v, want %v", n, bytes, got, want)
				}
			},
		})
	})
}

// What was pushed out a moment ago is answered from memory, unless it was invalidated meanwhile.
func TestPushedOutComesBack(t *testing.T) {
	t.Parallel()
	s, err := NewStore(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := New[int](s, "numbers", FamilyOptions{L1Bytes: 64 << 10})
	e, _ := f.entry("k", 1, nil, []string{"tag"}, s.gens.now(), time.Now())
	f.victims.put("k", e)
	if v, ok := f.Peek("k"); !ok || v != 1 {
		t.Errorf("%d, %v", v, ok)
	}
	if n, _ := f.victims.size(); n != 0 || f.l1.EstimatedSize() != 1 {
		t.Error("it is not back in L1")
	}
	f.victims.put("k2", e)
	s.dropLocal(message{Tags: []string{"tag"}})
	if v, ok := f.Peek("k2"); ok {
		t.Errorf("%d although its tag was invalidated", v)
	}
	old, _ := f.entry("k3", 1, nil, nil, s.gens.now(), time.Now())
	newer, _ := f.entry("k3", 2, nil, nil, s.gens.now(), time.Now())
	f.victims.put("k3", old)
	f.keep("k3", newer)
	if e := f.back("k3"); e != newer {
		t.Error("an older one took the place of a newer one")
	}
}
