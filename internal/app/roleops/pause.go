package roleops

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/stampede-shop/stampede/internal/app/opshttp"
)

// pausing is whether measuring rests: for one who wants to know what it costs, or for whom every per cent counts just now. The zero value
// measures.
type pausing struct {
	off atomic.Bool

	mu      sync.Mutex
	changed chan struct{} // closed at the next change; nil until somebody waits for it
}

// set begins or ends a pause.
func (p *pausing) set(off bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off.Swap(off) != off && p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// now tells whether there is a pause, and gives what is closed when that changes.
func (p *pausing) now() (off bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.off.Load(), p.changed
}

// between runs f whenever there is no pause, until ctx ends; f's context ends with each.
func (p *pausing) between(ctx context.Context, f func(context.Context)) {
	for ctx.Err() == nil {
		off, changed := p.now()
		if off {
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		part, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			defer stop()
			select {
			case <-part.Done():
			case <-changed:
			}
		})
		f(part)
		stop()
		wg.Wait()
	}
}

// Paused tells whether nothing is to be recorded.
func (m *Measuring) Paused() bool { return m.pausing.off.Load() }

// measuringState is what is asked and told of a pause.
type measuringState struct {
	Enabled bool `json:"enabled"`
}

// pauseHandler takes and tells whether this process measures. Where telemetry.enabled is false it never does.
func (m *Measuring) pauseHandler(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		var s measuringState
		if err := opshttp.Decode(http.MaxBytesReader(w, r.Body, 1<<10), &s); err != nil {
			opshttp.Problem(w, http.StatusBadRequest, "malformed", `send {"enabled":true} or {"enabled":false}`)
			return
		}
		m.pausing.set(!s.Enabled)
	}
	opshttp.WriteJSON(w, http.StatusOK, measuringState{!m.Paused()})
}
