package replica

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// wires dials connections that nobody answers, and counts those that are open.
type wires struct {
	dialled chan struct{}
	stuck   atomic.Bool // dialling takes until its context ends
	open    atomic.Int64
}

type wire struct {
	net.Conn
	w    *wires
	once atomic.Bool
}

func (c *wire) Close() error {
	if c.once.CompareAndSwap(false, true) {
		c.w.open.Add(-1)
	}
	return c.Conn.Close()
}

func (w *wires) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	w.dialled <- struct{}{}
	if w.stuck.Load() {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	near, far := net.Pipe()
	go func() { // it takes what comes and says nothing
		buf := make([]byte, 1024)
		for {
			if _, err := far.Read(buf); err != nil {
				return
			}
		}
	}()
	w.open.Add(1)
	return &wire{Conn: near, w: w}, nil
}

func lineOver(t *testing.T, w *wires) (*Line, *pgxpool.Pool) {
	t.Helper()
	cfg, err := pgxpool.ParseConfig("host=127.0.0.1 port=1 user=u dbname=d sslmode=disable connect_timeout=60")
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.DialFunc = w.dial
	l := &Line{}
	p, err := l.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return l, p
}

func (l *Line) known() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ways)
}

func TestCutEndsConnectionsInTheMaking(t *testing.T) {
	t.Parallel()
	for name, stuck := range map[string]bool{"dialling": true, "greeting": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &wires{dialled: make(chan struct{}, 100)}
			w.stuck.Store(stuck)
			l, p := lineOver(t, w)
			failed := make(chan error, 1)
			go func() { failed <- p.Ping(t.Context()) }()
			<-w.dialled
			l.cut()
			if err := <-failed; !errors.Is(err, errTakenOut) && !connectionFailed(err) {
				t.Errorf("cut: %v", err)
			}
			if n := w.open.Load(); n != 0 || l.known() != 0 {
				t.Errorf("%d connections are open, %d known", n, l.known())
			}
			if err := p.Ping(t.Context()); !errors.Is(err, errTakenOut) {
				t.Errorf("while it is cut: %v", err)
			}
			l.mend()
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-w.dialled
				cancel()
			}()
			if err := p.Ping(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("mended: %v", err)
			}
		})
	}
}

// A connection that is ready only after the cut is not handed out.
func TestCutOvertakesADial(t *testing.T) {
	t.Parallel()
	var l Line
	w := &way{line: &l, give: func(error) {}}
	if !l.add(w) {
		t.Fatal("refused")
	}
	l.cut()
	l.mend()
	near, far := net.Pipe()
	defer far.Close()
	if conn, err := l.made(w, near, nil); conn != nil || !errors.Is(err, errTakenOut) {
		t.Errorf("%v, %v", conn, err)
	}
	if _, err := near.Write([]byte("x")); err == nil {
		t.Error("it is open")
	}
}
