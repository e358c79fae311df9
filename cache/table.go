package cache

import (
	"hash/maphash"
	"sync/atomic"
	"time"
)

// table is what this process knows of versions in Redis, so that a hit in L2 takes one command. What it knows of a tag
// ends with the next invalidation of the tag that we hear of, by the same generations that end values in L1; so whoever may not
// hear of invalidations must not ask it. It is a cache of fixed size: a tag may push out another one.
type table struct {
	g     *generations
	epoch atomic.Pointer[knownEpoch]
	cells [tableSize]atomic.Pointer[knownVersion]

	newest moment // the latest that told noted; guarded as told is
}

const (
	tableSize = 1 << 17 // 1 MiB of pointers; some 12 MiB when full
	// tableAge bounds how long anything is believed without asking again.
	tableAge = 30 * time.Second
)

type knownEpoch struct {
	epoch string
	born  uint64
}

type knownVersion struct {
	epoch, tag string
	version    uint64
	born       uint64
	until      int64 // nanoseconds since 1970
}

func (t *table) cell(tag string) *atomic.Pointer[knownVersion] {
	return t.at(maphash.String(t.g.seed, tag))
}

func (t *table) at(hash uint64) *atomic.Pointer[knownVersion] { return &t.cells[hash/7%tableSize] }

// learn notes what was read from Redis after born.
func (t *table) learn(born uint64, epoch string, versions map[string]uint64) {
	if old := t.epoch.Load(); old == nil || old.epoch != epoch || old.born < t.g.cleared.Load() {
		t.epoch.Store(&knownEpoch{epoch, born})
	}
	until := time.Now().Add(tableAge).UnixNano()
	for tag, v := range versions {
		t.cell(tag).Store(&knownVersion{epoch, tag, v, born, until})
	}
}

// told notes the number of an invalidation that has happened here: that is the version of its tags now, or a later one. So
// Redis need not be asked, and is not believed when it has forgotten it, as a replica may that has taken over.
// Word of two invalidations may come in either order. What comes late is not believed, since it may bring back the version before:
// it only ends what is older still. The Store calls it while it holds dropping.
func (t *table) told(m moment, tags []string) {
	if m.epoch == "" {
		return
	}
	last, _ := t.newest.word()
	word, _ := m.word()
	late := last == word && m.n < t.newest.n
	if !late {
		t.newest = m
	}
	born, until := t.g.now(), time.Now().Add(tableAge).UnixNano()
	for _, tag := range tags {
		cell := t.cell(tag)
		if !late {
			cell.Store(&knownVersion{m.epoch, tag, m.n, born, until})
		} else if k := cell.Load(); k != nil && k.version < m.n {
			cell.CompareAndSwap(k, nil)
		}
	}
}

// known is the version of a tag in an epoch, if that is known for certain.
func (t *table) known(epoch, tag string) (uint64, bool) {
	hash := maphash.String(t.g.seed, tag)
	k := t.at(hash).Load()
	if k == nil || k.tag != tag || !t.certain(k, hash, epoch, time.Now().UnixNano()) {
		return 0, false
	}
	return k.version, true
}

// certain tells whether what is known of a tag, whose hash it is, still holds in an epoch.
func (t *table) certain(k *knownVersion, hash uint64, epoch string, now int64) bool {
	return k.epoch == epoch && t.g.newestAt(hash%slotCount) <= k.born && now <= k.until
}

// judge tells whether a record is valid, if that is known. A record that is ahead of us is not known.
func (t *table) judge(r *record) (known, valid bool) {
	if !t.current(r.epoch) {
		return false, false
	}
	for i, tag := range r.tags {
		v, ok := t.known(r.epoch, tag)
		switch {
		case !ok || r.versions[i] > v:
			return false, false
		case r.versions[i] < v:
			return true, false
		}
	}
	return true, true
}

// current tells whether an epoch is known to be that of now.
func (t *table) current(epoch string) bool {
	e := t.epoch.Load()
	return e != nil && e.epoch == epoch && t.g.cleared.Load() <= e.born
}

// read decodes and judges a record at once, without allocating what we know already; valid means known to be. The versions are not
// kept.
func (t *table) read(r *record, data []byte, now int64) (valid bool, err error) {
	valid = true
	err = r.decode(data, func(b []byte) string {
		if e := t.epoch.Load(); e != nil && e.epoch == string(b) {
			valid = t.current(e.epoch)
			return e.epoch
		}
		valid = false
		return string(b)
	}, func(b []byte, version uint64) string {
		hash := maphash.Bytes(t.g.seed, b)
		if k := t.at(hash).Load(); k != nil && k.tag == string(b) {
			valid = valid && k.version == version && t.certain(k, hash, r.epoch, now)
			return k.tag
		}
		valid = false
		return string(b)
	})
	return valid && err == nil, err
}
