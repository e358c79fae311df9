package telemetry

import "time"

// slot is what was recorded in a step of time; nil where that is nothing.
type slot struct {
	values Snapshot
	counts [counts]uint64
}

func (s *slot) merge(o *slot) *slot {
	if s == nil || o == nil {
		if s == nil {
			return o
		}
		return s
	}
	m := &slot{values: s.values.Merge(o.values), counts: s.counts}
	for i, n := range o.counts {
		m.counts[i] += n
	}
	return m
}

// tick is the time that the finest slots cover.
const tick = time.Second

// window is a span of time for which there are figures. Behind the end of the one before, the past is kept in slots of
// ticks ticks, as many as reach to its own end and no more than one coarser slot beyond.
type window struct {
	name  string
	span  time.Duration
	ticks int // of a slot
}

// windows from the shortest to the longest. A slot's ticks are a multiple of those of the window before.
var windows = [...]window{
	{"10s", 10 * time.Second, 1},
	{"1m", time.Minute, 5},
	{"5m", 5 * time.Minute, 30},
	{"1h", time.Hour, 300},
}

// past are the slots of a series: for each window those behind the window before, the newest last. Together they cover the
// time up to the last tick without gap or overlap.
type past [len(windows)][]*slot

// push makes s the newest slot and moves what is too old for a level to the next, several slots as one.
func (p *past) push(s *slot) {
	p[0] = append(p[0], s)
	begin := 0 // of the window's own slots, in ticks from now
	for i := range windows {
		w := &windows[i]
		room := (int(w.span/tick) - begin + w.ticks - 1) / w.ticks
		if i == len(windows)-1 {
			if extra := len(p[i]) - room; extra > 0 {
				p[i] = append(p[i][:0], p[i][extra:]...)
			}
			return
		}
		join := windows[i+1].ticks / w.ticks
		if len(p[i]) < room+join {
			return
		}
		var joined *slot
		for _, s := range p[i][:join] {
			joined = joined.merge(s)
		}
		p[i] = append(p[i][:0], p[i][join:]...)
		p[i+1] = append(p[i+1], joined)
		begin = int(w.span / tick)
	}
}

// sums adds up the past from the newest slot to the oldest, and calls each at the end of each of the first upTo windows, with the
// ticks that the sum covers by then: those of the window, and of the slot that its end lies in.
func (p *past) sums(sum *sum, upTo int, each func(window, ticks int)) {
	covered := 0
	for i, w := range windows[:upTo] {
		level := p[i]
		for len(level) > 0 && covered < int(w.span/tick) {
			sum.add(level[len(level)-1])
			level = level[:len(level)-1]
			covered += w.ticks
		}
		each(i, covered)
		for _, s := range level { // not moved on yet
			sum.add(s)
			covered += w.ticks
		}
	}
}

// sum is a slot under construction, with every bucket.
type sum struct {
	buckets [bucketCount]uint64
	counts  [counts]uint64
	total   uint64
	low     int // no bucket below is in use
	high    int // nor at or above this
}

func (s *sum) reset() {
	clear(s.buckets[:])
	s.counts, s.total, s.low, s.high = [counts]uint64{}, 0, bucketCount, 0
}

func (s *sum) add(o *slot) {
	if o == nil {
		return
	}
	for _, b := range o.values.buckets {
		s.buckets[b.index] += b.count
		s.total += b.count
	}
	if n := len(o.values.buckets); n > 0 {
		s.low, s.high = min(s.low, int(o.values.buckets[0].index)), max(s.high, int(o.values.buckets[n-1].index)+1)
	}
	for i, n := range o.counts {
		s.counts[i] += n
	}
}

// snapshot copies what is in use.
func (s *sum) snapshot() Snapshot {
	n := 0
	for _, c := range s.buckets[min(s.low, s.high):s.high] {
		if c > 0 {
			n++
		}
	}
	if n == 0 {
		return Snapshot{}
	}
	out := make([]bucket, 0, n)
	for i := s.low; i < s.high; i++ {
		if c := s.buckets[i]; c > 0 {
			out = append(out, bucket{uint16(i), c}) //nolint:gosec // below bucketCount
		}
	}
	return Snapshot{out}
}
