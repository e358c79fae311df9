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
	// Keys is how many keys are tracked, about 150 bytes each. Keys that make up more than 1/Keys of all requests are never
	// missed. Default 8192.
	Keys int
	// MaxKey is how many bytes a key may have; longer ones are not counted. Default 512.
	MaxKey int
}

// Popularity counts what is asked for, and expects that it will go on to be: what was asked for long ago counts for less. Memory is
// bounded whatever is asked for. It is a [Predictor] and safe for concurrent use.
type Popularity struct {
	o       PopularityOptions
	skipped atomic.Uint64

	mu  sync.Mutex
	top *sketch.DecayedTopK
}

var _ Predictor = (*Popularity)(nil)

// NewPopularity makes an empty one.
func NewPopularity(o PopularityOptions) *Popularity {
	if o.HalfLife <= 0 {
		o.HalfLife = time.Hour
	}
	if o.Keys <= 0 {
		o.Keys = 8192
	}
	if o.MaxKey <= 0 {
		o.MaxKey = 512
	}
	return &Popularity{o: o, top: sketch.NewDecayedTopK(o.Keys, o.HalfLife)}
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

// Predict returns the keys asked for most of late. Rates are those of a steady flow that would have left the same weight; of that
// what is certain counts, so that a newcomer does not inherit the rank of the key whose place it took.
func (p *Popularity) Predict(_ context.Context, at time.Time, n int) ([]Demand, error) {
	p.mu.Lock()
	top := p.top.Top(p.o.Keys, at)
	p.mu.Unlock()
	perSecond := math.Ln2 / p.o.HalfLife.Seconds()
	all := make([]Demand, len(top))
	for i, w := range top {
		all[i] = Demand{w.Key, (w.Weight - w.Error) * perSecond}
	}
	ranked := Rank(all, nil, n)
	out := make([]Demand, len(ranked))
	for i, it := range ranked {
		out[i] = Demand{it.Key, it.Demand}
	}
	return out, nil
}

// counted is a Popularity as it is stored.
type counted struct {
	Version int               `json:"version"`
	At      time.Time         `json:"at"`
	Keys    []sketch.Weighted `json:"keys"`
}

const (
	countedVersion = 1
	countedKeys    = 4096      // that are stored, the heaviest
	countedBytes   = 512 << 10 // that they may take; the lightest are left out
)

// Encode writes the heaviest keys, at most 4096 and 512 KiB, for [Popularity.Merge], in another process or after a restart.
func (p *Popularity) Encode() ([]byte, error) {
	now := time.Now()
	p.mu.Lock()
	top := p.top.Top(countedKeys, now)
	p.mu.Unlock()
	for {
		data, err := json.Marshal(counted{countedVersion, now.UTC(), top})
		if err != nil || len(data) <= countedBytes {
			return data, err
		}
		top = top[:len(top)/2]
	}
}

// Merge adds what another one has counted, aged since then. It changes nothing when data is not what Encode wrote.
func (p *Popularity) Merge(data []byte) error {
	var c counted
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("warm: counts: %w", err)
	}
	if c.Version != countedVersion || len(c.Keys) > countedKeys {
		return fmt.Errorf("warm: counts: version %d with %d keys is not known here", c.Version, len(c.Keys))
	}
	if now := time.Now(); c.At.After(now) {
		c.At = now // somebody's clock is ahead
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range c.Keys {
		if len(w.Key) <= p.o.MaxKey {
			p.top.AddWeighted(w, c.At)
		}
	}
	return nil
}
