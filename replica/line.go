package replica

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Line is the way to one server: it knows the connections of all pools that were opened with it, and lets a Group cut them when the
// server hangs. Reads that wait for it fail at once then, and are repeated elsewhere, without a context of their own for each, which
// costs more than all the rest of routing. The zero value works; one per server. It is safe for concurrent use.
type Line struct {
	cuts atomic.Uint64 // how often it was cut
	mu   sync.Mutex
	down bool // cut, and not mended: connections are refused
	ways map[*way]struct{}
}

// way is a connection, or the attempt to make one.
type way struct {
	net.Conn // nil during the attempt
	line     *Line
	give     context.CancelCauseFunc // ends the attempt
}

// aside marks the contexts of connections that a Line leaves alone: those that find out how the server is.
type aside struct{}

// Open makes a pool whose connections the Line can cut.
func (l *Line) Open(ctx context.Context, c *pgxpool.Config) (*pgxpool.Pool, error) {
	dial := c.ConnConfig.DialFunc
	c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if ctx.Value(aside{}) != nil {
			return dial(ctx, network, addr)
		}
		ctx, give := context.WithCancelCause(ctx)
		defer give(nil)
		w := &way{line: l, give: give}
		if !l.add(w) {
			return nil, errTakenOut
		}
		conn, err := dial(ctx, network, addr)
		return l.made(w, conn, err)
	}
	return pgxpool.NewWithConfig(ctx, c)
}

func (l *Line) add(w *way) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return false
	}
	if l.ways == nil {
		l.ways = map[*way]struct{}{}
	}
	l.ways[w] = struct{}{}
	return true
}

// made turns an attempt into a connection, unless it was cut meanwhile.
func (l *Line) made(w *way, conn net.Conn, err error) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.ways[w]; !ok {
		if err == nil {
			_ = conn.Close()
		}
		return nil, errTakenOut
	}
	if err != nil {
		delete(l.ways, w)
		return nil, err
	}
	w.Conn = conn
	return w, nil
}

// Close closes the connection and forgets it.
func (w *way) Close() error {
	w.line.mu.Lock()
	delete(w.line.ways, w)
	w.line.mu.Unlock()
	return w.Conn.Close()
}

// cut ends all connections and refuses new ones until mend.
func (l *Line) cut() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	l.cuts.Add(1) // before anybody notices: see dropped
	for w := range l.ways {
		if w.give(errTakenOut); w.Conn != nil {
			_ = w.Conn.Close()
		}
	}
	clear(l.ways)
}

// mend lets connections be made again; of a nil Line there is nothing to mend.
func (l *Line) mend() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}
