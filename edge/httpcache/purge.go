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
	stale map[keyHash]softPurge
	floor uint64 // everything fetched before is gone
	soft  softPurge
	doubt atomic.Uint64 // everything fetched before is to be confirmed before its next use
}

type softPurge struct {
	count uint64
	at    int64 // Unix nanoseconds
}

func newPurges() *purges {
	return &purges{gone: map[keyHash]uint64{}, stale: map[keyHash]softPurge{}}
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
		p.soft = at
	case len(keys) == 0:
		p.floor = n
		clear(p.gone)
		clear(p.stale)
	case soft:
		for _, k := range keys {
			p.stale[k] = at
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
	if p.soft.count > since {
		stale = p.soft.at
	}
	for _, k := range keys {
		if p.gone[k] > since {
			return true, 0
		}
		if s := p.stale[k]; s.count > since && (stale == 0 || s.at < stale) {
			stale = s.at
		}
	}
	return false, stale
}
