package cache

import "strings"

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
