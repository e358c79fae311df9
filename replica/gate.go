package replica

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNoPrimary means that no server accepted writes for as long as a Gate waits. It wraps what was found last.
var ErrNoPrimary = errors.New("replica: no primary")

// GateOptions tune a Gate; the zero value works.
type GateOptions struct {
	// Fence keeps connections from a primary that was replaced. Nil makes one.
	Fence *Fence
	// Wait is for how long a connection waits for a primary. Default 10 s.
	Wait time.Duration
	// Retry is the pause before the second look for one; it doubles up to ten times that, for a look makes servers start
	// processes. A Group that was given the Gate tells it sooner. Default 25 ms.
	Retry time.Duration
	// Logger hears when the primary is gone and found again; nil discards.
	Logger *slog.Logger
}

// Gate lets pools of a cluster's primary wait out a failover. When a connection fails, none of the old ones is used again, and
// new ones are made only once a primary answers; until then whoever asks a pool for one waits, as long as its context allows.
// So code that repeats what failed on the level of the connection needs to repeat it once, whatever the failover takes. One per
// cluster; it is safe for concurrent use.
type Gate struct {
	o      GateOptions
	failed atomic.Uint64 // failures of connections
	passed atomic.Uint64 // those known when a primary answered last
	epoch  atomic.Int64  // of connections: those of an earlier one are not used again
	news   chan struct{} // somebody has seen a new primary

	mu    sync.Mutex
	pools map[*pgxpool.Pool]struct{}
	probe *probe // under way
	stop  context.CancelFunc
	life  context.Context
	done  sync.WaitGroup
}

// probe is one search for a primary; err may be read once over is closed.
type probe struct {
	over chan struct{}
	err  error
}

// NewGate makes a Gate. Close ends it.
func NewGate(o GateOptions) *Gate {
	def(&o.Wait, 10*time.Second)
	def(&o.Retry, 25*time.Millisecond)
	if o.Fence == nil {
		o.Fence = &Fence{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gate{o: o, pools: map[*pgxpool.Pool]struct{}{}, news: make(chan struct{}, 1)}
	g.life, g.stop = context.WithCancel(context.Background())
	return g
}

// Fence is the Gate's fence, for the Options of a Group.
func (g *Gate) Fence() *Fence { return g.o.Fence }

// Open makes a pool that waits for a primary, and is reset when one was lost. c should name all servers of the cluster. Its
// Tracer, if any, is kept beside the Gate's own. Forget lets go of a pool that is closed before the Gate is.
func (g *Gate) Open(ctx context.Context, c *pgxpool.Config) (*pgxpool.Pool, error) {
	g.o.Fence.Guard(c)
	c.BeforeConnect = g.await
	c.ConnConfig.Tracer = g.beside(c.ConnConfig.Tracer)
	p, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pools[p] = struct{}{}
	return p, nil
}

// Forget makes the Gate leave a pool alone.
func (g *Gate) Forget(p *pgxpool.Pool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.pools, p)
}

// Close ends searches. Connections are made without waiting from then on. It may be called again.
func (g *Gate) Close() {
	g.mu.Lock()
	g.stop() // under the lock: no search begins afterwards
	g.mu.Unlock()
	g.done.Wait()
}

// await returns when a connection can be made, as far as is known.
func (g *Gate) await(ctx context.Context, c *pgx.ConnConfig) error {
	if g.open() {
		return nil
	}
	p := g.search(c)
	if p == nil {
		return nil
	}
	select {
	case <-p.over:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// open tells whether a primary is there, as far as is known.
func (g *Gate) open() bool { return g.failed.Load() == g.passed.Load() || g.life.Err() != nil }

// pass is await for those who have better to do than to wait.
func (g *Gate) pass(_ context.Context, c *pgx.ConnConfig) error {
	if g.open() {
		return nil
	}
	g.search(c)
	return ErrNoPrimary
}

// promoted ends the pause between two looks for a primary.
func (g *Gate) promoted() {
	if g != nil && !g.open() {
		signal(g.news)
	}
}

// search joins the search under way, or begins one.
func (g *Gate) search(c *pgx.ConnConfig) *probe {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.probe != nil || g.life.Err() != nil {
		return g.probe
	}
	p := &probe{over: make(chan struct{})}
	g.probe = p
	cfg := c.Config.Copy()
	g.done.Go(func() {
		p.err = g.find(cfg)
		g.mu.Lock()
		g.probe = nil
		g.mu.Unlock()
		close(p.over)
	})
	return p
}

// find connects until somebody accepts writes.
func (g *Gate) find(c *pgconn.Config) error {
	ctx, cancel := context.WithTimeout(g.life, g.o.Wait)
	defer cancel()
	start, looked := time.Now(), false
	for pause := g.o.Retry; ; pause = min(2*pause, 10*g.o.Retry) {
		known := g.failed.Load()
		conn, err := pgconn.ConnectConfig(ctx, c)
		if err == nil {
			_ = conn.Close(ctx)
			g.passed.Store(known)
			if looked {
				g.o.Logger.Info("the primary answers again", "after", time.Since(start).Round(time.Millisecond))
			}
			return nil
		}
		if !looked {
			g.o.Logger.Warn("the primary does not answer; writes wait for one", "error", err)
		}
		looked = true
		select {
		case <-time.After(pause):
		case <-g.news:
		case <-ctx.Done():
			return errors.Join(ErrNoPrimary, err)
		}
	}
}

// lost notes the failure of a connection of an epoch, and resets the pools once for each epoch.
func (g *Gate) lost(epoch int64) {
	g.failed.Add(1)
	if !g.epoch.CompareAndSwap(epoch, epoch+1) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range g.pools {
		p.Reset()
	}
}
