package telemetry

import (
	"sync/atomic"
	"time"
)

// Kind is what a series is about.
type Kind string

// The kinds.
const (
	KindRoute  Kind = "route"  // of requests
	KindQuery  Kind = "query"  // of a database
	KindFamily Kind = "family" // of a cache's keys
	KindJob    Kind = "job"    // of a worker
	KindLink   Kind = "link"   // to another server
)

// Other is the name of the series that counts what came after a kind had all the names it may have.
const Other = "other"

// classes are those of HTTP statuses, 1xx to 5xx, and behind them the errors: what is counted beside the durations.
const (
	errorCount = 5
	counts     = 6
)

// Series times one kind of thing. Get it from a [Set] and keep it: looking it up costs more than recording. It is safe for
// concurrent use.
type Series struct {
	kind   Kind
	name   string
	live   Histogram             // since the last tick
	counts [counts]atomic.Uint64 // since the last tick
	past   past                  // under the lock of the set
	read   [len(windows)]reading // too
}

// Name is the series' name; that of one beyond the bound on names is [Other].
func (s *Series) Name() string { return s.name }

// Record counts something that took d, and whether it failed.
func (s *Series) Record(d time.Duration, failed bool) {
	s.live.Record(d)
	if failed {
		s.counts[errorCount].Add(1)
	}
}

// RecordStatus counts an answer by the class of its HTTP status. What the service is to blame for are errors: 5xx and 429.
func (s *Series) RecordStatus(d time.Duration, status int) {
	s.live.Record(d)
	if class := status/100 - 1; class >= 0 && class < errorCount {
		s.counts[class].Add(1)
	}
	if Failed(status) {
		s.counts[errorCount].Add(1)
	}
}

// Failed tells whether an HTTP status is one that the service is to blame for: 5xx, or 429, which refuses.
func Failed(status int) bool { return status >= 500 || status == 429 }

// drain is what was recorded since the last call, as a slot of the past.
func (s *Series) drain() *slot {
	sl := &slot{values: s.live.Drain()}
	var any uint64
	for i := range s.counts {
		if s.counts[i].Load() > 0 {
			sl.counts[i] = s.counts[i].Swap(0)
			any += sl.counts[i]
		}
	}
	if any == 0 && len(sl.values.buckets) == 0 {
		return nil
	}
	return sl
}
