package replica_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// link carries the connections of a pool, and can hang: nothing is refused or closed, nothing arrives either.
type link struct {
	traffic sync.RWMutex                      // held to stop it
	delay   atomic.Int64                      // nanoseconds that everything takes
	heed    atomic.Pointer[func(what []byte)] // hears of everything before it is carried
}

func (l *link) freeze() { l.traffic.Lock() }

func (l *link) thaw() { l.traffic.Unlock() }

func (l *link) pool(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	return opened(t, l.config(t, dsn), pgxpool.NewWithConfig)
}

func opened(t *testing.T, cfg *pgxpool.Config, open func(context.Context, *pgxpool.Config) (*pgxpool.Pool, error)) *pgxpool.Pool {
	t.Helper()
	p, err := open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func (l *link) config(t *testing.T, dsn string) *pgxpool.Config {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		server, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		near, far := net.Pipe()
		go l.carry(far, server)
		go l.carry(server, far)
		return near, nil
	}
	return cfg
}

func (l *link) carry(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		time.Sleep(time.Duration(l.delay.Load())) // the way is long
		if heed := l.heed.Load(); heed != nil {
			(*heed)(buf[:n])
		}
		l.traffic.RLock()
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = werr
			}
		}
		l.traffic.RUnlock()
		if err != nil {
			return
		}
	}
}
