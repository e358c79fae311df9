package waitroom

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	knownFor = 10 * time.Minute // at least half of it
	knownMax = 200_000          // sessions, twice
)

// known are the sessions that were shopping lately, by a hash.
type known struct {
	seed maphash.Seed

	mu          sync.Mutex
	turned      time.Time
	young, aged map[uint64]struct{}
}

// add notes a session; it tells whether it was not known.
func (k *known) add(session string, now time.Time) bool {
	h := maphash.String(k.seed, session)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.turn(now)
	_, was := k.aged[h]
	if !was {
		_, was = k.young[h]
	}
	if len(k.young) < knownMax {
		k.young[h] = struct{}{}
	}
	return !was
}

func (k *known) has(session string) bool {
	h := maphash.String(k.seed, session)
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.young[h]; ok {
		return true
	}
	_, ok := k.aged[h]
	return ok
}

// turn lets sessions age, and the aged go. It happens as new ones are noted, which ends when a queue begins: those that
// were known then stay so.
func (k *known) turn(now time.Time) {
	if k.young == nil || now.Sub(k.turned) >= knownFor/2 {
		k.young, k.aged, k.turned = map[uint64]struct{}{}, k.young, now
	}
}
