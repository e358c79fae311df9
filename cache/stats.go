package cache

import (
	"strings"
	"sync/atomic"
	"time"
)

// Stats is what a Store has counted since it was made.
type Stats struct {
	L2       L2Stats       `json:"l2"`
	Sent     uint64        `json:"invalidations_sent"`
	Received uint64        `json:"invalidations_received"`
	Queued   int           `json:"queued"` // background work that waits
	Dropped  uint64        `json:"dropped"`
	Families []FamilyStats `json:"families"`
	Hot      []HotKey      `json:"hot,omitempty"`
	Costly   []HotTag      `json:"costly_tags,omitempty"`
	Advice   []Advice      `json:"advice,omitempty"`
}

// HotKey is a key that is asked for often; Asked is an estimate from samples, of the recent past rather than of all time.
type HotKey struct {
	Family string `json:"family"`
	Key    string `json:"key"`
	Asked  uint64 `json:"asked"`
}

// HotTag is a tag whose invalidation made values stale that were asked for again.
type HotTag struct {
	Tag    string `json:"tag"`
	Misses uint64 `json:"misses"`
}

// L2Stats is the state of Redis as this process sees it. Pending are the tags and keys it has yet to hear of; Lost is how often
// messages of the bus turned out to be lost; Cold says that Redis lost its memory a moment ago.
type L2Stats struct {
	Configured   bool   `json:"configured"`
	Up           bool   `json:"up"`
	Cold         bool   `json:"cold"`
	Errors       uint64 `json:"errors"`
	Trips        uint64 `json:"trips"`
	Lost         uint64 `json:"lost_messages"`
	Pending      int    `json:"pending"`
	PendingClear bool   `json:"pending_clear"`
}

// FamilyStats counts keys, not calls, except for loads.
type FamilyStats struct {
	Name         string        `json:"name"`
	L1Hits       uint64        `json:"l1_hits"`
	L2Hits       uint64        `json:"l2_hits"`
	L2Misses     uint64        `json:"l2_misses"` // not there, or not valid any more
	NegativeHits uint64        `json:"negative_hits"`
	Stale        uint64        `json:"stale"`     // expired values served while they were refreshed
	FailSafe     uint64        `json:"fail_safe"` // expired values served because a load failed or took too long
	Early        uint64        `json:"early"`     // refreshes before the end, by chance
	Loads        uint64        `json:"loads"`
	LoadedKeys   uint64        `json:"loaded_keys"` // a load may be of many
	LoadErrors   uint64        `json:"load_errors"`
	LoadTime     time.Duration `json:"load_time_ns"`
	Joined       uint64        `json:"joined"`  // callers who waited for another's load
	Waited       uint64        `json:"waited"`  // loads that waited for another process's
	Gutter       uint64        `json:"gutter"`  // loads while Redis did not help
	Refused      uint64        `json:"refused"` // values invalidated while they were read, and so not stored
	Saved        uint64        `json:"saved"`   // loads of keys that did not happen: all answers but the loads
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

// Stats returns the counts.
func (s *Store) Stats() Stats {
	st := Stats{Sent: s.sent.Load(), Received: s.received.Load(), Queued: s.behind.length(), Dropped: s.behind.dropped.Load()}
	if l := s.l2; l != nil {
		st.L2 = L2Stats{Configured: true, Up: l.up.Load(), Errors: l.errors.Load(), Trips: l.trips.Load(), Lost: l.lost.Load()}
		st.L2.Cold = st.L2.Up && !l.helps()
		st.L2.Pending, st.L2.PendingClear = l.waiting()
	}
	for _, f := range s.members() {
		st.Families = append(st.Families, f.stats())
	}
	st.Hot, st.Costly = s.hot.top(hotShown)
	st.Advice = Advise(st)
	return st
}

func (h *hotKeys) top(n int) (keys []HotKey, tags []HotTag) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.keys.Top(n) {
		family, key, _ := strings.Cut(c.Key, "\x00")
		keys = append(keys, HotKey{family, key, min(c.Count, h.counts.Count(c.Key))})
	}
	for _, c := range h.culprits.Top(n) {
		tags = append(tags, HotTag{c.Key, c.Count})
	}
	return keys, tags
}

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
	l2, l2Miss, negative, stale, failsafe, early, loads, loadedKeys, errors, nanos, joined, waited, gutter, refused, evicted,
	unreadable, bytesIn, bytesOut, bytesRaw atomic.Uint64
	missed                   [missReasons]atomic.Uint64
	l1Time, l2Time, loadTime histogram
}

func (c *counters) why(r missReason) { c.missed[r].Add(1) }

// loaded counts a load of so many keys.
func (c *counters) loaded(start time.Time, keys int, failed bool) {
	took := time.Since(start)
	c.loads.Add(1)
	c.loadedKeys.Add(uint64(keys))
	c.nanos.Add(uint64(took))
	c.loadTime.add(took)
	if failed {
		c.errors.Add(1)
	}
}

// countHit counts a hit in L1, and looks at a sample closely.
func (f *Family[V]) countHit(key string, e *entry[V]) {
	if e.absent {
		f.count.negative.Add(1)
		return
	}
	if f.count.l1.add() {
		f.inspect(key)
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
	st := FamilyStats{
		Name: f.name, L1Hits: c.l1.sum(), L2Hits: c.l2.Load(), L2Misses: c.l2Miss.Load(), NegativeHits: c.negative.Load(),
		Stale: c.stale.Load(), FailSafe: c.failsafe.Load(), Early: c.early.Load(),
		Loads: c.loads.Load(), LoadedKeys: c.loadedKeys.Load(), LoadErrors: c.errors.Load(), LoadTime: time.Duration(c.nanos.Load()),
		Joined: c.joined.Load(), Waited: c.waited.Load(), Gutter: c.gutter.Load(), Refused: c.refused.Load(),
		MissCold: c.missed[missCold].Load(), MissExpired: c.missed[missExpired].Load(), MissInvalidated: c.missed[missInvalidated].Load(), MissDeaf: c.missed[missDeaf].Load(),
		Evicted: c.evicted.Load(), Unreadable: c.unreadable.Load(),
		L1Entries: f.l1.EstimatedSize(), L1Bytes: f.l1.WeightedSize(), L1MaxBytes: f.o.L1Bytes,
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(), BytesRaw: c.bytesRaw.Load(),
		L1Time: c.l1Time.summary(), L2Time: c.l2Time.summary(), LoadTimes: c.loadTime.summary(),
	}
	st.Saved = st.L1Hits + st.L2Hits + st.NegativeHits + st.Stale + st.FailSafe + st.Joined
	return st
}
