package local

import (
	"context"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/internal/local/pg"
)

const (
	sigKill = syscall.SIGKILL
	sigStop = pg.StopSignal
)

// look asks the primary how its standbys do, and draws the conclusions.
func (f *clusterFailover) look(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	p := f.c.primary()
	qctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	rep, err := p.Replication(qctx)
	if err != nil {
		f.unanswered(p, err)
		return
	}
	f.silent = time.Time{}
	streaming := f.streaming(rep)
	f.direct(ctx, p, rep)
	f.keepSync(ctx, p, rep, streaming)
	r := f.c.roles.get()
	f.set(func(s *ClusterStatus) {
		s.Primary, s.Sync, s.Standbys, s.Failovers = p.name, r.Safe, f.names(streaming), r.Failures
	})
}

// streaming are the numbers of the standbys that have caught up.
func (f *clusterFailover) streaming(rep pg.Replication) []int {
	var list []int
	for _, m := range f.c.servers {
		if slices.ContainsFunc(rep.Streams, func(s pg.Stream) bool { return s.Name == m.name && s.Streaming }) {
			list = append(list, m.number)
		}
	}
	return list
}

// unanswered kills a primary that runs and does not answer: what cannot be seen to be dead must be made so before another takes its
// place.
func (f *clusterFailover) unanswered(p *clusterServer, err error) {
	if !f.running(p) {
		f.silent = time.Time{}
		return
	}
	if f.silent.IsZero() {
		f.silent = time.Now()
	}
	if time.Since(f.silent) < f.o.HungAfter {
		return
	}
	f.silent = time.Time{}
	f.decided(slog.LevelError, "the primary runs and does not answer: it is killed", "process", p.name, "error", err)
	if err := f.signalProcess(p, true); err != nil {
		f.log.Warn("could not kill the primary", "error", err)
	}
}

// direct makes the standbys that run follow the primary: after a failover they still look for the old one. One that does not follow
// for long, though both run, is made anew, unless it may have the last commits.
func (f *clusterFailover) direct(ctx context.Context, p *clusterServer, rep pg.Replication) {
	members := f.c.roles.get().Members
	for _, m := range f.c.others(p) {
		follows := slices.ContainsFunc(rep.Streams, func(s pg.Stream) bool { return s.Name == m.name })
		if follows || !f.running(m) {
			delete(f.lost, m.number)
			continue
		}
		since := f.since(f.lost, m.number)
		if err := f.redirect(ctx, m, p); err != nil {
			f.log.Debug("standby not redirected", "process", m.name, "error", err)
		}
		if since < 3*f.o.LostAfter || slices.Contains(members, m.number) || m.rebuild.Swap(true) {
			continue
		}
		f.decided(slog.LevelWarn, "a standby cannot follow: it is made anew", "process", m.name)
		if err := f.signalProcess(m, false); err != nil {
			m.rebuild.Store(false)
		}
	}
}

// since is for how long a server has been in a map.
func (f *clusterFailover) since(in map[int]time.Time, number int) time.Duration {
	at, known := in[number]
	if !known {
		at = time.Now()
		in[number] = at
	}
	return time.Since(at)
}

// redirect tells a running standby whom to follow, unless it knows.
func (f *clusterFailover) redirect(ctx context.Context, m, p *clusterServer) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	set := f.c.standbySettings(m, p)
	st, err := m.Standby(ctx)
	if err != nil || !st.Standby || st.From == set["primary_conninfo"] {
		return err
	}
	if err := m.Configure(set); err != nil {
		return err
	}
	return m.Reload(ctx, "primary_conninfo", set["primary_conninfo"])
}

// keepSync keeps commits waiting for the standbys that there are, and no longer than AloneAfter for those that are gone.
func (f *clusterFailover) keepSync(ctx context.Context, p *clusterServer, rep pg.Replication, streaming []int) {
	r := f.c.roles.get()
	switch {
	case f.hanging: // commits may wait for standbys that are not counted on
		f.release(ctx, p)
		return
	case !r.Safe:
		if len(streaming) > 0 && time.Now().After(f.enableAt) {
			f.enable(ctx, p, streaming)
		}
		return
	}
	counted := slices.ContainsFunc(streaming, func(n int) bool { return slices.Contains(r.Members, n) })
	if counted && rep.Waiting < f.o.AloneAfter {
		f.alone = time.Time{}
		f.adjust(ctx, p, r, streaming)
		return
	}
	if f.alone.IsZero() {
		f.alone = time.Now()
	}
	if rep.Waiting >= f.o.AloneAfter || time.Since(f.alone) >= f.o.AloneAfter {
		f.goAlone(ctx, p, rep)
	}
}

// adjust takes in standbys that have come, and counts out those that have been gone for long.
func (f *clusterFailover) adjust(ctx context.Context, p *clusterServer, r roles, streaming []int) {
	want := slices.Clone(streaming)
	for _, n := range r.Members {
		if slices.Contains(streaming, n) {
			delete(f.absent, n)
		} else if f.since(f.absent, n) < f.o.LostAfter {
			want = append(want, n)
		}
	}
	slices.Sort(want)
	if slices.Equal(want, r.Members) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	// While it changes, either may hold the last commits: both count.
	both := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(want), r.Members...))))
	err := f.c.roles.change("", func(r *roles) { r.Members = both })
	if err == nil {
		err = p.SetSync(ctx, f.c.settings, f.names(want))
	}
	if err == nil {
		err = p.ConfirmSync(ctx, f.names(want))
	}
	if err == nil {
		err = f.c.roles.change("", func(r *roles) { r.Members = want })
	}
	if err != nil {
		f.log.Warn("could not change the standbys that commits wait for", "standbys", f.names(want), "error", err)
		return
	}
	f.decided(slog.LevelInfo, "commits wait for any one of these", "standbys", f.names(want))
}

// enable lets commits wait for standbys again, and counts on them once one has all that was committed meanwhile.
func (f *clusterFailover) enable(ctx context.Context, p *clusterServer, streaming []int) {
	sctx, cancel := context.WithTimeout(ctx, 2*f.o.AloneAfter)
	defer cancel()
	err := p.StartSync(sctx, f.c.settings, f.names(streaming))
	if err == nil {
		err = f.c.roles.change("commits wait for standbys", func(r *roles) { r.Safe, r.Members, r.Alone = true, streaming, nil })
	}
	if err != nil {
		f.patience = min(max(2*f.patience, 3*f.o.AloneAfter), time.Minute) // commits have waited for nothing: not again soon
		f.enableAt = time.Now().Add(f.patience)
		f.decided(slog.LevelWarn, "standbys cannot be counted on yet", "standbys", f.names(streaming), "error", err)
		f.release(ctx, p)
		return
	}
	f.alone, f.patience = time.Time{}, 0
	f.set(func(s *ClusterStatus) { s.Alone = time.Time{} })
	f.decided(slog.LevelInfo, "commits wait for any one of these", "standbys", f.names(streaming))
}

// release lets commits wait for nobody.
func (f *clusterFailover) release(ctx context.Context, p *clusterServer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := p.SetSync(ctx, f.c.settings, nil)
	if f.hanging = err != nil; f.hanging {
		f.log.Error("could not release commits from waiting for standbys", "error", err)
	}
}

// goAlone lets the primary go on without standbys. First it is recorded: from here on no standby has everything.
func (f *clusterFailover) goAlone(ctx context.Context, p *clusterServer, rep pg.Replication) {
	at := time.Now().UTC()
	err := f.c.roles.change("no standby answers: the primary goes on alone", func(r *roles) {
		r.Safe, r.Members, r.Alone = false, nil, &alone{LSN: rep.LSN, At: at}
	})
	if err != nil {
		f.decided(slog.LevelError, "the primary must not go on alone: it could not be recorded; writes hang", "error", err)
		return
	}
	f.release(ctx, p)
	f.alone, f.enableAt = time.Time{}, at.Add(3*f.o.AloneAfter) // one that hangs still seems to be there
	f.set(func(s *ClusterStatus) { s.Alone = at })
	f.decided(slog.LevelError, "ALERT: no standby answers, the primary goes on alone: to lose it now would lose orders",
		"process", p.name, "lsn", rep.LSN)
}
