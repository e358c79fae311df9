package cache

import (
	"testing"

	"pgregory.net/rapid"
)

// Word of invalidations comes in any order, also of those that were dropped long before their number was known; whatever the order,
// a record from before the last of them is never judged valid.
func TestLateWordBringsNothingBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &Store{gens: newGenerations()}
		s.l2 = &l2{table: &table{g: s.gens}}
		s.l2.table.learn(s.gens.now(), "word.0", nil)
		tags := []string{"a", "b", "c"}
		last := map[string]uint64{}
		var messages []message
		for n := range uint64(rapid.IntRange(1, 8).Draw(t, "invalidations")) {
			m := message{Tags: []string{rapid.SampledFrom(tags).Draw(t, "tag")}, Epoch: "word.0", N: n + 1}
			last[m.Tags[0]], messages = m.N, append(messages, m)
		}
		late := rapid.SliceOfN(rapid.Bool(), len(messages), len(messages)).Draw(t, "numbered late")
		order := make([]int, len(messages))
		for i, m := range messages { // those whose number was not known at first
			if order[i] = i; late[i] {
				s.dropLocal(message{Tags: m.Tags})
			}
		}
		for _, i := range rapid.Permutation(order).Draw(t, "order") {
			if late[i] {
				s.noted(messages[i])
			} else {
				s.dropLocal(messages[i])
				s.heard(messages[i])
			}
		}
		for tag, n := range last {
			r := &record{epoch: "word.0", tags: []string{tag}, versions: []uint64{n - 1}}
			if known, valid := s.l2.table.judge(r); known && valid {
				t.Fatalf("%s was invalidated at %d; a record of %d is valid", tag, n, n-1)
			}
			r.versions[0] = n
			if known, valid := s.l2.table.judge(r); known && !valid {
				t.Fatalf("%s: a record of %d, its last invalidation, is judged stale", tag, n)
			}
		}
	})
}
