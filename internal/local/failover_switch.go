package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// errNotYet means that a standby's place cannot be judged yet.
var errNotYet = errors.New("not yet")

// ended is called when a server's process has ended and before it is started again. When it was the primary, and its standbys have
// everything that was acknowledged, the furthest of them takes its place. Otherwise it stays the primary: then nobody else has all
// of its data. Nothing of the old one runs here, so it can acknowledge nothing any more.
func (f *clusterFailover) ended(ctx context.Context, m *clusterServer) error {
	if f.c.primary() != m { // before the lock: a decision may be waiting for this very standby
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.c.roles.get()
	if f.stopping || f.c.server(r.Primary) != m {
		return nil
	}
	if err := m.ClearStale(ctx); err != nil { // also takes its socket away: no standby gets to it
		return err
	}
	if !r.Safe {
		f.decided(slog.LevelWarn, "the primary has died; no standby is certain to have everything, so it is started again", "process", m.name)
		return nil
	}
	f.decided(slog.LevelWarn, "the primary has died", "process", m.name, "standbys", f.names(r.Members))
	start := time.Now()
	next, err := f.furthest(ctx, m, r)
	if err != nil {
		f.decided(slog.LevelWarn, "no standby takes the primary's place, so it is started again", "process", m.name, "reason", err)
		return ctx.Err()
	}
	what := fmt.Sprintf("%s takes the place of %s", next.name, m.name)
	err = f.c.roles.change(what, func(r *roles) {
		r.Primary, r.Safe, r.Members = next.number, false, nil
		r.Failures++
		if !slices.Contains(r.Demoted, m.number) {
			r.Demoted = append(r.Demoted, m.number)
		}
	})
	if err != nil {
		return err
	}
	if err := f.switchTo(ctx, next); err != nil {
		// It is recorded: whoever starts next goes on from there. To stop it is what makes it start.
		f.log.Error("promotion failed; it is tried again", "process", next.name, "error", err)
		return errors.Join(err, f.signalProcess(next, true))
	}
	f.decided(slog.LevelWarn, what, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// switchTo promotes a standby and turns the others to it.
func (f *clusterFailover) switchTo(ctx context.Context, next *clusterServer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := f.c.promote(ctx, next); err != nil {
		return err
	}
	if err := next.Configure(f.c.settings); err != nil { // it must not look for a primary at its next start
		return err
	}
	for _, m := range f.c.others(next) {
		if !f.running(m) {
			continue // its own start will tell it
		}
		if err := f.redirect(ctx, m, next); err != nil {
			f.log.Warn("a standby will be told later whom to follow", "process", m.name, "error", err)
		}
	}
	f.set(func(s *ClusterStatus) { s.Primary, s.Sync = next.name, false; s.Failovers++ })
	return nil
}

// furthest waits until all members are known to receive nothing more, and returns the standby that has the most. A member that
// died with the primary is waited for: it may be the one with the last commits.
func (f *clusterFailover) furthest(ctx context.Context, dead *clusterServer, r roles) (*clusterServer, error) {
	ctx, cancel := context.WithTimeout(ctx, f.o.DecideIn)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		best, err := f.compare(ctx, dead, r)
		if err == nil {
			return best, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// compare needs an answer of every member. Nobody else is asked: what a standby that commits did not wait for has may be much, and
// from a past that was given up.
func (f *clusterFailover) compare(ctx context.Context, dead *clusterServer, r roles) (*clusterServer, error) {
	var best *clusterServer
	var most int64 = -1
	for _, n := range r.Members {
		m := f.c.server(n)
		if m.number != n || m == dead {
			return nil, fmt.Errorf("server %d has the last commits and is not here", n)
		}
		qctx, cancel := context.WithTimeout(ctx, time.Second)
		st, err := m.Standby(qctx)
		cancel()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: %s may have the last commits: %w", errNotYet, m.name, err)
		case !st.Standby || !st.Settled:
			return nil, fmt.Errorf("%w: %s is still receiving or reading its log", errNotYet, m.name)
		}
		f.log.Info("standby compared", "process", m.name, "position", position(st.Position))
		if st.Position > most {
			best, most = m, st.Position
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%w: no standby is left", errNotYet)
	}
	return best, nil
}
