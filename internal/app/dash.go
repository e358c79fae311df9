package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/dashboard"
)

const figuresTimeout = time.Second

// watch gathers what all processes of the platform measure, for the dashboard and for the alert rules, until stop is called.
func (p *platform) watch(ctx context.Context, ops *platformOps) (stop func(), err error) {
	if ops.alerts, err = newWatchman(p.cfg, p.log); err != nil {
		return nil, err
	}
	prices := pricesIn(p.layout.Data.Dir)
	ops.live = dashboard.NewCollector(dashboard.Options{Metrics: ops.figures, Processes: p.pids,
		Extra: func(ctx context.Context, s *dashboard.Snapshot) {
			ops.enrich(ctx, p.status(), prices, s)
			ops.alerts.Observe(s.Time, s.Values)
		}})
	ctx, cancel := context.WithCancel(ctx)
	var gathering sync.WaitGroup
	gathering.Go(func() { ops.live.Run(ctx) })
	return func() {
		cancel()
		gathering.Wait()
		ops.alerts.close()
	}, nil
}

// pids are the supervised processes, and ourselves.
func (p *platform) pids() map[string]int {
	pids := map[string]int{}
	for _, s := range p.status().Processes {
		if s.PID > 0 {
			pids[s.Name] = s.PID
		}
	}
	pids["up"] = p.state.PID
	return pids
}

// figures asks every member for what the dashboard shows; one that does not answer is missing.
func (p *platformOps) figures(ctx context.Context) map[string][]dashboard.Family {
	ctx, cancel := context.WithTimeout(ctx, figuresTimeout) // who hangs must not make the others' figures old
	defer cancel()
	members := p.members()
	all := map[string][]dashboard.Family{}
	for i, raw := range opshttp.FanOut(ctx, members, func(ctx context.Context, m opshttp.Member) ([]byte, error) {
		return opshttp.Get(ctx, m.Ops, roleops.FiguresPath)
	}) {
		var list []dashboard.Family
		if raw != nil && json.Unmarshal(raw, &list) == nil {
			all[members[i].Name] = list
		}
	}
	if p.own != nil {
		if own, err := dashboard.Export(p.own); err == nil {
			all["up"] = own
		}
	}
	p.measured.Store(&all)
	return all
}

// stream sends stats as server-sent events, one for each snapshot.
func (p *platformOps) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	ctl := http.NewResponseController(w)
	for {
		changed := p.changed()
		raw, err := p.viewed.get(p.moment(), func() ([]byte, error) {
			// For all viewers: the one who comes first may leave meanwhile.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), opshttp.Timeout)
			defer cancel()
			return json.Marshal(p.stats(ctx))
		})
		if err != nil {
			return
		}
		_ = ctl.SetWriteDeadline(time.Now().Add(opshttp.Timeout)) // a viewer that does not read is let go
		if _, err := fmt.Fprintf(w, "event: stats\ndata: %s\n\n", raw); err != nil || ctl.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
	}
}

// moment is that of the newest snapshot; without any, the second that it is.
func (p *platformOps) moment() time.Time {
	if p.live != nil {
		return p.live.Latest().Time
	}
	return time.Now().Truncate(time.Second)
}

// changed is closed when there is something new to send.
func (p *platformOps) changed() <-chan struct{} {
	if p.live != nil {
		return p.live.Changed()
	}
	c := make(chan struct{})
	time.AfterFunc(time.Second, func() { close(c) })
	return c
}
