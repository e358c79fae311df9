package app

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/app/chaoslab"
	"github.com/stampede-shop/stampede/internal/local"
)

// probe asks a server something that it answers whoever asks, over a connection of its own: so that a server that is down or hangs can
// be told from one whose link to the processes is broken.
type probe struct {
	name, network, addr string
	hello               []byte // nothing: the server speaks first
}

// probed is what came of it.
type probed struct {
	ok   bool
	took time.Duration
}

const probeLimit = 700 * time.Millisecond

// sslRequest is PostgreSQL's first message of a client that would like TLS; it is answered by one byte, without a session.
var sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}

// probesOf are those of a platform's servers.
func probesOf(l *local.Layout) []probe {
	list := []probe{{"nats", "tcp", fmt.Sprintf("127.0.0.1:%d", l.NATS.Port), nil}}
	if len(l.RedisNodes) == 0 {
		list = append(list, probe{"redis", "unix", l.RedisSocket, []byte("PING\r\n")})
	}
	for _, n := range l.RedisNodes {
		list = append(list, probe{n.Name, "tcp", n.Addr, []byte("PING\r\n")})
	}
	for _, s := range chaoslab.PostgresServers(l) {
		cfg, err := pgx.ParseConfig(s.DSN)
		if err != nil {
			continue // the processes will say so
		}
		if filepath.IsAbs(cfg.Host) {
			list = append(list, probe{s.Name, "unix", filepath.Join(cfg.Host, fmt.Sprintf(".s.PGSQL.%d", cfg.Port)), sslRequest})
			continue
		}
		list = append(list, probe{s.Name, "tcp", net.JoinHostPort(cfg.Host, fmt.Sprint(cfg.Port)), sslRequest})
	}
	return list
}

// probeAll asks all at once, and returns after probeLimit at the latest.
func probeAll(ctx context.Context, list []probe) map[string]probed {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	out := make(map[string]probed, len(list))
	for _, p := range list {
		wg.Go(func() {
			begun := time.Now()
			err := p.ask(ctx)
			mu.Lock()
			defer mu.Unlock()
			out[p.name] = probed{err == nil, time.Since(begun)}
		})
	}
	wg.Wait()
	return out
}

func (p probe) ask(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, p.network, p.addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if until, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(until); err != nil {
			return err
		}
	}
	if len(p.hello) > 0 {
		if _, err := conn.Write(p.hello); err != nil {
			return err
		}
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}
