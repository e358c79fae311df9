package warm

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/sketch"
)

// PopularityOptions size a [Popularity]; the zero value works.
type PopularityOptions struct {
	// HalfLife is after how long a request counts half. Default 1 h.
	HalfLife time.Duration
	// Keys is how many keys are tracked, about 200 bytes each. Keys that make up more than 1/Keys of all requests are never
	// missed. Default 16384.
	Keys int
	// MaxKey is how many bytes a key may have; longer ones are not counted. Default 512.
	MaxKey int
}

// Popularity counts what is asked for, and expects that it will go on to be: what was asked for long ago counts for less. Memory is
// bounded whatever is asked for. It is a [Predictor] and safe for concurrent use.
type Popularity struct {
	o       PopularityOptions
	skipped atomic.Uint64

	mu    sync.Mutex
	top   *sketch.DecayedTopK
	began time.Time
	base  float64 // seconds of counting before began, aged like counts until then
}

var _ Predictor = (*Popularity)(nil)

// NewPopularity makes an empty one.
func NewPopularity(o PopularityOptions) *Popularity {
	if o.HalfLife <= 0 {
		o.HalfLife = time.Hour
	}
	if o.Keys <= 0 {
		o.Keys = 16384
	}
	if o.MaxKey <= 0 {
		o.MaxKey = 512
	}
	return &Popularity{o: o, top: sketch.NewDecayedTopK(o.Keys, o.HalfLife), began: time.Now()}
}

// Seen counts one request. It never waits: when others count at the same moment, it may leave one out, whichever it is, so
// that the shares stay as they are. It does not allocate for keys that are known.
func (p *Popularity) Seen(key string) {
	if len(key) > p.o.MaxKey {
		return
	}
	if !p.mu.TryLock() {
		p.skipped.Add(1)
		return
	}
	p.top.Add(key, 1, time.Now())
	p.mu.Unlock()
}

// Count counts n requests, such as those that somebody else has counted.
func (p *Popularity) Count(key string, n float64) {
	if len(key) > p.o.MaxKey {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.top.Add(key, n, time.Now())
}

// Forget drops a key, such as one that is gone.
func (p *Popularity) Forget(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.top.Remove(key)
}

// Len is how many keys are known.
func (p *Popularity) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.top.Len()
}

// Predict returns the keys asked for most of late. A rate is a key's weight by that of the time in which it was counted; of the weight
// what is certain counts, so that a newcomer does not inherit the rank of the key whose place it took.
func (p *Popularity) Predict(_ context.Context, _ time.Time, n int) ([]Demand, error) {
	now := time.Now()
	p.mu.Lock()
	top, seconds := p.top.Top(p.o.Keys, now), max(p.seconds(now), leastSeconds)
	p.mu.Unlock()
	all := make([]Demand, len(top))
	for i, w := range top {
		all[i] = Demand{w.Key, (w.Weight - w.Error) / seconds}
	}
	ranked := Rank(all, nil, n)
	out := make([]Demand, len(ranked))
	for i, it := range ranked {
		out[i] = Demand{it.Key, it.Demand}
	}
	return out, nil
}

// leastSeconds keeps the first requests after a start from being taken for a flood.
const leastSeconds = 60

// seconds is for how long there has been counting, older seconds weighing less, as requests do.
func (p *Popularity) seconds(now time.Time) float64 {
	left := p.aged(now.Sub(p.began))
	return p.base*left + (1-left)*p.o.HalfLife.Seconds()/math.Ln2
}

// aged is what is left of a weight after a while.
func (p *Popularity) aged(d time.Duration) float64 {
	return math.Exp2(-float64(d) / float64(p.o.HalfLife))
}

// counted is a Popularity as it is stored.
type counted struct {
	Version int               `json:"version"`
	At      time.Time         `json:"at"`
	Seconds float64           `json:"seconds"` // of counting
	Keys    []sketch.Weighted `json:"keys"`
}

const (
	countedVersion = 1
	countedKeys    = 10_000    // that are stored, the heaviest
	countedBytes   = 512 << 10 // that they may take; the lightest are left out
)

// Encode writes the heaviest keys, at most 10,000 and 512 KiB, for [Popularity.Merge], in another process or after a restart.
func (p *Popularity) Encode() ([]byte, error) {
	now := time.Now()
	p.mu.Lock()
	top, seconds := p.top.Top(countedKeys, now), p.seconds(now)
	p.mu.Unlock()
	for {
		data, err := json.Marshal(counted{countedVersion, now.UTC(), seconds, top})
		if err != nil || len(data) <= countedBytes {
			return data, err
		}
		top = top[:len(top)/2]
	}
}

// Merge adds what others have counted before, side by side, aged since then. It changes nothing when one of the documents is not what
// Encode wrote.
func (p *Popularity) Merge(docs ...[]byte) error {
	now := time.Now()
	var list []counted
	for _, data := range docs {
		c, err := decodeCounts(data, now)
		if err != nil {
			return err
		}
		list = append(list, c)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	longest := 0.0
	for _, c := range list {
		longest = max(longest, c.Seconds*p.aged(now.Sub(c.At)))
		for _, w := range c.Keys {
			if len(w.Key) <= p.o.MaxKey {
				p.top.AddWeighted(w, c.At)
			}
		}
	}
	p.base, p.began = p.seconds(now)+longest, now
	return nil
}

func decodeCounts(data []byte, now time.Time) (c counted, err error) {
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("warm: counts: %w", err)
	}
	if c.Version != countedVersion || len(c.Keys) > countedKeys || !(c.Seconds >= 0) {
		return c, fmt.Errorf("warm: counts: version %d with %d keys in %v s is not known here", c.Version, len(c.Keys), c.Seconds)
	}
	if c.At.After(now) {
		c.At = now // somebody's clock is ahead
	}
	return c, nil
}
