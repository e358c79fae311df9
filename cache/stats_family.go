package cache

import (
	"math"
	"sync/atomic"
	"time"
)

// FamilyStats counts keys, not calls, except for loads.
type FamilyStats struct {
	Name         string        `json:"name"`
	L1Hits       uint64        `json:"l1_hits"`
	L2Hits       uint64        `json:"l2_hits"`
	L2Misses     uint64        `json:"l2_misses"`     // not there, or not valid any more
	NegativeHits uint64        `json:"negative_hits"` // absences remembered
	Stale        uint64        `json:"stale"`         // expired values served while they were refreshed
	FailSafe     uint64        `json:"fail_safe"`     // expired values served because a load failed or took too long
	Early        uint64        `json:"early"`         // refreshes before the end, by chance
	Loads        uint64        `json:"loads"`
	LoadedKeys   uint64        `json:"loaded_keys"` // a load may be of many
	LoadErrors   uint64        `json:"load_errors"`
	LoadTime     time.Duration `json:"load_time_ns"`
	Joined       uint64        `json:"joined"`  // callers who waited for another's load
	Waited       uint64        `json:"waited"`  // loads that waited for another process's
	Gutter       uint64        `json:"gutter"`  // loads while Redis did not help
	Refused      uint64        `json:"refused"` // values invalidated while they were read, and so not kept
	// What of these was in L2; the rest was in L1.
	L2Negative uint64 `json:"l2_negative_hits"`
	L2Stale    uint64 `json:"l2_stale"`
	L2Refused  uint64 `json:"l2_refused"`
	Saved      uint64 `json:"saved"` // loads of keys that did not happen: all answers but the loads
	// Why L1 did not have a value: never there or pushed out, its time was over, invalidated, or it was there and could not be
	// trusted, because invalidations may have passed this process by.
	MissCold        uint64  `json:"miss_cold"`
	MissExpired     uint64  `json:"miss_expired"`
	MissInvalidated uint64  `json:"miss_invalidated"`
	MissDeaf        uint64  `json:"miss_deaf"`
	Evicted         uint64  `json:"evicted"` // pushed out by others for lack of memory
	Unreadable      uint64  `json:"unreadable"`
	L1Entries       int     `json:"l1_entries"`
	L1Bytes         uint64  `json:"l1_bytes"`
	L1MaxBytes      uint64  `json:"l1_max_bytes"`
	BytesIn         uint64  `json:"l2_bytes_in"`
	BytesOut        uint64  `json:"l2_bytes_out"`
	BytesRaw        uint64  `json:"l2_bytes_out_unpacked"`
	L1Time          Latency `json:"l1_time"` // of samples
	L2Time          Latency `json:"l2_time"`
	LoadTimes       Latency `json:"load_times"`
}

// HitRate is the share of keys answered without a load, 0 to 1; 0 when nothing was asked.
func (f FamilyStats) HitRate() float64 {
	if n := f.Asked(); n > 0 {
		return float64(f.Saved) / float64(n)
	}
	return 0
}

// Asked is how many keys were asked for.
func (f FamilyStats) Asked() uint64 { return f.Saved + f.LoadedKeys }

type missReason uint8

const (
	missCold missReason = iota
	missExpired
	missInvalidated
	missDeaf
	missReasons
)

type counters struct {
	l1 striped
	l2, l2Miss, failsafe, early, loads, loadedKeys, errors, nanos, joined, waited, gutter, evicted,
	unreadable, bytesIn, bytesOut, bytesRaw atomic.Uint64
	absent, stale, refused   perTier
	missed                   [missReasons]atomic.Uint64
	l1Time, l2Time, loadTime histogram
}

// perTier counts something in L1 and L2 apart.
type perTier struct{ l1, l2 atomic.Uint64 }

func (p *perTier) both() uint64 { return p.l1.Load() + p.l2.Load() }

func (c *counters) why(r missReason) { c.missed[r].Add(1) }

// loaded counts a load of so many keys.
func (f *Family[V]) loaded(start time.Time, keys int, failed bool) {
	c, took := &f.count, time.Since(start)
	c.loads.Add(1)
	c.loadedKeys.Add(uint64(keys))
	c.nanos.Add(uint64(took))
	c.loadTime.add(took)
	if failed {
		c.errors.Add(1)
	}
	if observe := f.s.o.Observe; observe != nil {
		observe(f.name, Load, took, failed)
	}
}

// answeredByL2 counts how long an exchange with Redis took.
func (f *Family[V]) answeredByL2(took time.Duration) {
	f.count.l2Time.add(took)
	if observe := f.s.o.Observe; observe != nil {
		observe(f.name, L2, took, false)
	}
}

// countHit counts a hit in L1, and takes notice of some.
func (f *Family[V]) countHit(e *entry[V]) {
	if e.absent {
		f.count.absent.l1.Add(1)
		return
	}
	if lot := f.count.l1.add(); lot < math.MaxUint64/noticeEvery {
		f.notice(e, lot)
	}
}

// notice tells the policy of a hit that the front answered, or gives one that it did not a place there; and a few are
// looked at closely.
func (f *Family[V]) notice(e *entry[V], lot uint64) {
	if f.front.get(e.key) != e {
		f.front.put(e)
	} else {
		f.l1.GetIfPresent(e.key)
	}
	if lot < math.MaxUint64/sampleEvery {
		f.inspect(e.key)
	}
}

// inspect notes the key and repeats the hit with a watch in hand.
func (f *Family[V]) inspect(key string) {
	f.s.hot.sample(f.name, key)
	start := time.Now()
	f.hit(key)
	f.count.l1Time.addN(time.Since(start), sampleEvery)
}

func (f *Family[V]) stats() FamilyStats {
	c := &f.count
	entries, bytes := f.victims.size()
	st := FamilyStats{
		Name: f.name, L1Hits: c.l1.sum(), L2Hits: c.l2.Load(), L2Misses: c.l2Miss.Load(), NegativeHits: c.absent.both(),
		Stale: c.stale.both(), FailSafe: c.failsafe.Load(), Early: c.early.Load(),
		Loads: c.loads.Load(), LoadedKeys: c.loadedKeys.Load(), LoadErrors: c.errors.Load(), LoadTime: time.Duration(c.nanos.Load()),
		Joined: c.joined.Load(), Waited: c.waited.Load(), Gutter: c.gutter.Load(), Refused: c.refused.both(),
		L2Negative: c.absent.l2.Load(), L2Stale: c.stale.l2.Load(), L2Refused: c.refused.l2.Load(),
		MissCold: c.missed[missCold].Load(), MissExpired: c.missed[missExpired].Load(), MissInvalidated: c.missed[missInvalidated].Load(), MissDeaf: c.missed[missDeaf].Load(),
		Evicted: c.evicted.Load(), Unreadable: c.unreadable.Load(),
		L1Entries: f.l1.EstimatedSize() + entries, L1Bytes: f.l1.WeightedSize() + bytes, L1MaxBytes: f.o.L1Bytes,
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(), BytesRaw: c.bytesRaw.Load(),
		L1Time: c.l1Time.summary(), L2Time: c.l2Time.summary(), LoadTimes: c.loadTime.summary(),
	}
	st.Saved = st.L1Hits + st.L2Hits + st.NegativeHits + st.Stale + st.FailSafe + st.Joined
	return st
}
