package loadsim

import (
	"hash/maphash"
	"sync"
)

// answers remembers what lists and products said, by the bytes of their bodies: the same page comes again and again, and
// reading it again would cost more than all the rest of a request. Two different bodies pass for one with a probability of
// 2⁻⁶⁴. Bounded; safe for concurrent use.
type answers struct {
	seed   maphash.Seed
	shards [16]struct {
		mu          sync.RWMutex
		young, aged map[uint64][]product
	}
}

// answersKept is how many bodies a shard remembers, twice: when the young ones are so many, they become the aged ones.
const answersKept = 256

func newAnswers() *answers { return &answers{seed: maphash.MakeSeed()} }

// read is what parse makes of the body, perhaps from memory. The slice is shared: do not write to it.
func (a *answers) read(body []byte, parse func([]byte) ([]product, error)) ([]product, error) {
	key := maphash.Bytes(a.seed, body)
	s := &a.shards[key%uint64(len(a.shards))]
	s.mu.RLock()
	found, ok := s.young[key]
	if !ok {
		found, ok = s.aged[key]
	}
	s.mu.RUnlock()
	if ok {
		return found, nil
	}
	found, err := parse(body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if len(s.young) >= answersKept || s.young == nil {
		s.young, s.aged = make(map[uint64][]product, answersKept), s.young
	}
	s.young[key] = found
	s.mu.Unlock()
	return found, nil
}
