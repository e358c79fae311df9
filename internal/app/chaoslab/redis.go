package chaoslab

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/internal/local"
)

// cacheFlushFault empties the second tier of the cache.
const cacheFlushFault = "cache-flush"

// CacheFault is that of the Redis servers of a platform.
func CacheFault(l *local.Layout) chaos.Fault {
	return chaos.Fault{
		Name: cacheFlushFault, About: "empties Redis, again and again while it lasts", Blast: "whoever reads what only Redis had: it is read from the databases again", Limit: time.Minute,
		Params: []chaos.Param{{Name: "every", About: "pause between two times; once when not given", Kind: chaos.Duration}},
		Plan: func(_ context.Context, v chaos.Values) (chaos.Plan, error) {
			every := v.Duration("every")
			if every > 0 && every < 100*time.Millisecond {
				return chaos.Plan{}, fmt.Errorf("%w: every=%v: at least 100ms", chaos.ErrParams, every)
			}
			return chaos.Plan{Inject: func(ctx context.Context, _ func(any) error) (chaos.Undo, error) {
				if err := flushAll(ctx, l); err != nil {
					return nil, err
				}
				return repeat(every, func(ctx context.Context) { _ = flushAll(ctx, l) }), nil // the next time will do
			}}, nil
		},
	}
}

// repeat calls f again and again until it is undone; every 0 is never.
func repeat(every time.Duration, f func(context.Context)) chaos.Undo {
	if every == 0 {
		return func(context.Context) error { return nil }
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				f(ctx)
			}
		}
	}()
	return func(context.Context) error {
		cancel()
		<-done
		return nil
	}
}

const flushTimeout = 5 * time.Second

func flushAll(ctx context.Context, l *local.Layout) error {
	if len(l.RedisNodes) == 0 {
		return flush(ctx, "unix", l.RedisSocket)
	}
	var errs []error
	for _, n := range l.RedisNodes {
		errs = append(errs, flush(ctx, "tcp", n.Addr))
	}
	return errors.Join(errs...)
}

// flush empties one server. A replica of a cluster does what its master does, and need not be asked.
func flush(ctx context.Context, network, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("FLUSHALL\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if strings.HasPrefix(answer, "+OK") || strings.HasPrefix(answer, "-READONLY") {
		return nil
	}
	return fmt.Errorf("redis answered FLUSHALL with %q: %w", answer, cmp.Or(err, chaos.ErrUnavailable))
}
