package httpcache

import (
	"sync"
	"sync/atomic"
	"time"
)

// A purge moves a counter on and notes at which count the key was purged. An answer remembers the count at which its
// fetch began: what is older than the last purge of one of its keys is gone. So a purge costs the same whatever it
// covers, and also covers what is still on its way.

// keyHash stands for a surrogate key or an address. Two keys with one hash are purged together, which costs a fetch.
type keyHash uint64

// hashes are FNV-1a with a finisher: the same in each process, as purges are kept on disk too.
func hashKey(kind byte, s string) keyHash {
	h := uint64(14695981039346656037)
	h = (h ^ uint64(kind)) * 1099511628211
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return keyHash(h ^ h>>32)
}

const (
	kindTag    = 't'
	kindKey    = 'k' // scheme://host/path?query
	kindTarget = 'p' // path?query on every host
)

// maxPurged bounds how many keys are remembered as purged. When there are more, everything older than all of them is
// treated as purged and the memory starts anew.
const maxPurged = 1 << 20

// purges knows what was purged when.
type purges struct {
	count atomic.Uint64 // moves with each purge
	mu    sync.RWMutex
	gone  map[keyHash]uint64 // hard purges
	stale map[keyHash]softPurges
	floor uint64 // everything fetched before is gone
	soft  softPurges
	doubt atomic.Uint64 // everything fetched before is to be confirmed before its next use
}

type softPurge struct {
	count uint64
	at    int64 // Unix nanoseconds
}

// softPurges of one key, the oldest first: what was fetched between two of them is stale since the later one, what was fetched before
// both since the earlier.
type softPurges []softPurge

// maxSoft bounds how many soft purges of a key are told apart.
const maxSoft = 8

// add notes one. If there are too many, the oldest two become one: what was fetched between them is taken for stale since the first.
func (s softPurges) add(p softPurge) softPurges {
	if len(s) == maxSoft {
		s[1].at = s[0].at
		s = s[:copy(s, s[1:])]
	}
	return append(s, p)
}

// after is since when something fetched at count since has been stale; 0: it is not.
func (s softPurges) after(since uint64) int64 {
	for _, p := range s {
		if p.count > since {
			return p.at
		}
	}
	return 0
}

func newPurges() *purges {
	return &purges{gone: map[keyHash]uint64{}, stale: map[keyHash]softPurges{}}
}

// purge notes keys as purged; none means everything.
func (p *purges) purge(keys []keyHash, soft bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.count.Load() + 1
	p.note(keys, soft, n, now)
	p.count.Store(n) // last: who sees the new count finds the keys
}

// recheck has everything confirmed before its next use, and returns the count from which on answers need none.
func (p *purges) recheck() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.count.Load() + 1
	p.doubt.Store(n)
	p.count.Store(n)
	return n
}

func (p *purges) note(keys []keyHash, soft bool, n uint64, now time.Time) {
	at := softPurge{n, now.UnixNano()}
	switch {
	case len(keys) == 0 && soft:
		p.soft = p.soft.add(at)
	case len(keys) == 0:
		p.floor = n
		clear(p.gone)
		clear(p.stale)
	case soft:
		for _, k := range keys {
			p.stale[k] = p.stale[k].add(at)
		}
	default:
		for _, k := range keys {
			p.gone[k] = n
		}
	}
	if len(p.gone)+len(p.stale) > maxPurged {
		p.floor = n
		clear(p.gone)
		clear(p.stale)
	}
}

// judge says whether something fetched at count since, under keys, is gone, and if not since when it has been stale
// (0: it is not).
func (p *purges) judge(since uint64, keys []keyHash) (gone bool, stale int64) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.floor > since {
		return true, 0
	}
	stale = p.soft.after(since)
	for _, k := range keys {
		if p.gone[k] > since {
			return true, 0
		}
		if at := p.stale[k].after(since); at != 0 && (stale == 0 || at < stale) {
			stale = at
		}
	}
	return false, stale
}
