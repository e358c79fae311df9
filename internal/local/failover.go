package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// FailoverOptions tune a Failover; the zero value works.
type FailoverOptions struct {
	Logger     *slog.Logger  // hears every decision; nil discards
	Interval   time.Duration // between two looks at each primary; 0 is 250 ms
	AloneAfter time.Duration // for how long commits wait for standbys that are gone; 0 is 2 s
	LostAfter  time.Duration // when a standby that does not follow is counted out, and copied anew; 0 is 10 s
	HungAfter  time.Duration // a running primary that does not answer for so long is killed; 0 is 15 s
	DecideIn   time.Duration // how long standbys are waited for when the primary has died; 0 is 10 s
}

func (o FailoverOptions) withDefaults() FailoverOptions {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	def(&o.Interval, 250*time.Millisecond)
	def(&o.AloneAfter, 2*time.Second)
	def(&o.LostAfter, 10*time.Second)
	def(&o.HungAfter, 15*time.Second)
	def(&o.DecideIn, 10*time.Second)
	return o
}

// Failover looks after the primaries of a layout: it keeps each one's commits on a standby as well, lets it go on alone, with an
// alert, when there is no standby, and puts the furthest standby in its place when it dies. What was acknowledged is never lost to
// that. Servers that were replaced come back as standbys.
type Failover struct {
	clusters []*clusterFailover
	stop     context.CancelFunc
	done     sync.WaitGroup
	once     sync.Once
}

// clusterFailover is the Failover of one cluster. mu is held while anything is decided.
type clusterFailover struct {
	c   *pgCluster
	o   FailoverOptions
	log *slog.Logger
	sup *Supervisor

	mu       sync.Mutex
	alone    time.Time         // since when commits have had no standby to wait for
	silent   time.Time         // since when the primary has not answered
	absent   map[int]time.Time // members that are not streaming, since when
	lost     map[int]time.Time // standbys that run and do not follow, since when
	enableAt time.Time         // not before are standbys counted on again
	patience time.Duration     // how long after the next failure to do so
	hanging  bool              // commits wait though they should not
	stopping bool

	status  sync.Mutex
	current ClusterStatus
}

// ClusterStatus is how a primary and its standbys stand.
type ClusterStatus struct {
	Cluster   int       `json:"cluster"`
	Primary   string    `json:"primary"` // the process
	Sync      bool      `json:"sync"`    // every acknowledged commit is on a standby as well
	Standbys  []string  `json:"standbys"`
	Alone     time.Time `json:"alone,omitzero"` // since when the primary has gone on without: an alert
	Failovers int       `json:"failovers"`
	Last      string    `json:"last,omitempty"` // decision
}

// StartFailover begins to look after the primaries. Call it when the supervisor has started everything, and Stop before the
// supervisor's.
func (l *Layout) StartFailover(sup *Supervisor, o FailoverOptions) *Failover {
	o = o.withDefaults()
	ctx, stop := context.WithCancel(context.Background())
	f := &Failover{stop: stop}
	for _, c := range l.clusters {
		cf := &clusterFailover{c: c, o: o, log: o.Logger.With("cluster", c.number), sup: sup, absent: map[int]time.Time{}, lost: map[int]time.Time{}}
		cf.current = ClusterStatus{Cluster: c.number, Primary: c.primary().name, Failovers: c.roles.get().Failures}
		f.clusters = append(f.clusters, cf)
		if !l.sync || len(c.servers) < 2 {
			continue // nobody to wait for, nobody to take over
		}
		c.failover.Store(cf)
		f.done.Go(func() { cf.run(ctx) })
	}
	return f
}

// Stop ends it: commits wait for nobody any more, so that the standbys can be stopped. Safe to call twice.
func (f *Failover) Stop() {
	f.once.Do(func() {
		f.stop()
		f.done.Wait()
		for _, c := range f.clusters {
			c.standDown()
		}
	})
}

// Status lists the clusters.
func (f *Failover) Status() []ClusterStatus {
	var list []ClusterStatus
	for _, c := range f.clusters {
		c.status.Lock()
		list = append(list, c.current)
		c.status.Unlock()
	}
	return list
}

func (f *clusterFailover) set(edit func(*ClusterStatus)) {
	f.status.Lock()
	defer f.status.Unlock()
	edit(&f.current)
}

// decided logs a decision.
func (f *clusterFailover) decided(level slog.Level, what string, args ...any) {
	f.log.Log(context.Background(), level, what, args...)
	f.set(func(s *ClusterStatus) { s.Last = what })
}

func (f *clusterFailover) run(ctx context.Context) {
	tick := time.NewTicker(f.o.Interval)
	defer tick.Stop()
	for {
		f.look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// standDown is for an orderly end.
func (f *clusterFailover) standDown() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.c.failover.Store(nil)
	f.stopping = true
	if !f.c.roles.get().Safe {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := f.c.roles.change("stopping: commits wait for nobody", func(r *roles) { r.Safe, r.Members = false, nil })
	if err == nil {
		err = f.c.primary().SetSync(ctx, f.c.settings, nil)
	}
	if err != nil {
		f.log.Warn("could not end synchronous replication", "error", err)
	}
}

// signalProcess sends a signal to a server of the supervisor's.
func (f *clusterFailover) signalProcess(m *clusterServer, kill bool) error {
	for _, st := range f.sup.Status() {
		if st.Name != m.name || st.Pid == 0 || st.State != StateRunning {
			continue
		}
		id, ok := proc.IdentityOf(st.Pid)
		if !ok {
			return nil
		}
		if kill {
			return id.Signal(sigKill)
		}
		return id.Signal(sigStop)
	}
	return errors.New("it does not run")
}

func (f *clusterFailover) running(m *clusterServer) bool {
	for _, st := range f.sup.Status() {
		if st.Name == m.name {
			return st.State == StateRunning
		}
	}
	return false
}

// names of processes, by number.
func (f *clusterFailover) names(numbers []int) []string {
	var list []string
	for _, n := range numbers {
		list = append(list, f.c.server(n).name)
	}
	return list
}

func position(bytes int64) string { return fmt.Sprintf("%X/%X", uint32(bytes>>32), uint32(bytes)) } //nolint:gosec // halves
