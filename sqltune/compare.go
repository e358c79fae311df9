package sqltune

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// Snapshot is what servers had counted at a time: saved at a deploy, it tells later what has changed since.
type Snapshot struct {
	Taken      time.Time   `json:"taken"`
	Statements []Statement `json:"statements"`
}

// Regression is a statement that takes longer than it did.
type Regression struct {
	Node   string  `json:"node"`
	SQL    string  `json:"sql"`
	Before float64 `json:"before_ms"` // mean until the snapshot
	After  float64 `json:"after_ms"`  // mean since
	Calls  float64 `json:"calls"`     // since
	// Extra is the time that the difference has cost since, in milliseconds.
	Extra float64 `json:"extra_ms"`
	// New statements were not there before.
	New bool `json:"new,omitempty"`
}

// CompareOptions are thresholds; the zero value works.
type CompareOptions struct {
	// Factor is how many times as long a statement takes that has become slower. Default 1.5.
	Factor float64
	// MinCalls are the calls since, below which nothing is concluded. Default 20.
	MinCalls float64
	// MinMean is the mean, in milliseconds, below which a statement is not worth a word. Default 1.
	MinMean float64
}

// sure is how many standard errors a difference must be: of a thousand statements that have not changed, about one comes out slower.
const sure = 3

// Compare finds statements that got slower after a snapshot, and new ones, what costs most first. Counters that were reset in between
// begin anew.
func Compare(before, after Snapshot, o CompareOptions) (list []Regression) {
	o.Factor, o.MinCalls, o.MinMean = cmp.Or(o.Factor, 1.5), cmp.Or(o.MinCalls, 20), cmp.Or(o.MinMean, 1)
	was := map[string]Statement{}
	for _, s := range before.Statements {
		key := s.Node + "\x00" + sqltext.Fingerprint(s.SQL)
		if old, ok := was[key]; ok {
			old.add(s)
			s = old
		}
		was[key] = s
	}
	now := map[string]Statement{}
	for _, s := range after.Statements {
		key := s.Node + "\x00" + sqltext.Fingerprint(s.SQL)
		if old, ok := now[key]; ok {
			old.add(s)
			s = old
		}
		now[key] = s
	}
	for key, s := range now {
		old, known := was[key]
		since := s.since(old)
		if since.Calls < o.MinCalls || since.Mean < o.MinMean {
			continue
		}
		r := Regression{Node: s.Node, SQL: s.SQL, Before: old.Mean, After: since.Mean, Calls: since.Calls,
			Extra: since.Calls * (since.Mean - old.Mean), New: !known}
		if !known || slower(old, since, o.Factor) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Regression) int { return cmp.Or(cmp.Compare(b.Extra, a.Extra), cmp.Compare(a.SQL, b.SQL)) })
	return list
}

// since is what was counted after an earlier reading.
func (s Statement) since(old Statement) Statement {
	if s.Calls < old.Calls || s.Total < old.Total {
		return s // counted anew
	}
	squares := max(0, s.squares()-old.squares())
	s.Calls, s.Total, s.Rows = s.Calls-old.Calls, s.Total-old.Total, s.Rows-old.Rows
	s.average(squares)
	return s
}

func slower(old, since Statement, factor float64) bool {
	if old.Calls == 0 || since.Mean < old.Mean*factor {
		return false
	}
	noise := math.Sqrt(old.Stddev*old.Stddev/old.Calls + since.Stddev*since.Stddev/since.Calls)
	return since.Mean-old.Mean > sure*noise
}
