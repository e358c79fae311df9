package cache

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

var errDown = errors.New("cache: redis is not in use")

// l2 is Redis behind a breaker. While up is false nobody asks it; the mender brings it back, and not before it has
// written what was invalidated meanwhile.
type l2 struct {
	o      Options
	opt    rueidis.ClientOption
	client atomic.Pointer[rueidis.Client]
	up     atomic.Bool
	fails  atomic.Int64 // in a row

	mu           sync.Mutex
	pending      map[string]struct{} // tags Redis has not heard of
	pendingClear bool

	wake  chan struct{}
	ready chan struct{} // closed after the first attempt to connect
	stop  context.CancelFunc
	done  chan struct{}

	errors, trips atomic.Uint64
}

func newL2(o Options) (*l2, error) {
	opt, err := clientOption(o)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &l2{o: o, opt: opt, pending: map[string]struct{}{}, wake: make(chan struct{}, 1),
		ready: make(chan struct{}), stop: stop, done: make(chan struct{})}
	go l.mend(ctx)
	select {
	case <-l.ready: // usually at once, so that the first requests already find it
	case <-time.After(time.Second):
	}
	return l, nil
}

func clientOption(o Options) (rueidis.ClientOption, error) {
	opt := rueidis.ClientOption{InitAddress: o.Redis}
	switch first := o.Redis[0]; {
	case strings.Contains(first, "://"):
		parsed, err := rueidis.ParseURL(first)
		if err != nil || len(o.Redis) > 1 {
			return opt, fmt.Errorf("%w: Redis takes one URL, or addresses: %v", ErrOptions, err)
		}
		opt = parsed
	case strings.HasPrefix(first, "/"):
		opt, _ = rueidis.ParseURL("unix://" + first)
	}
	opt.DisableCache = true
	opt.DisableRetry = true // the loader is the retry
	opt.ConnWriteTimeout = max(10*o.Timeout, time.Second)
	opt.Dialer = net.Dialer{Timeout: max(5*o.Timeout, 500*time.Millisecond), KeepAlive: time.Second}
	return opt, nil
}

func (l *l2) close() {
	l.stop()
	<-l.done
	if c := l.client.Load(); c != nil {
		(*c).Close()
	}
}

// do runs commands in one exchange. Any failure fails all; it counts against Redis unless the caller left.
func (l *l2) do(ctx context.Context, build func(c rueidis.Client) rueidis.Commands) ([]rueidis.RedisResult, error) {
	if !l.up.Load() {
		return nil, errDown
	}
	res, err := l.raw(ctx, l.o.Timeout, build)
	switch {
	case err == nil:
		if l.fails.Load() != 0 {
			l.fails.Store(0)
		}
	case ctx.Err() == nil:
		l.errors.Add(1)
		if l.fails.Add(1) >= int64(l.o.Trip) {
			l.down(err)
		}
	}
	return res, err
}

// raw is do whatever the breaker says, bounded by limit.
func (l *l2) raw(ctx context.Context, limit time.Duration, build func(c rueidis.Client) rueidis.Commands) ([]rueidis.RedisResult, error) {
	c := l.client.Load()
	if c == nil {
		return nil, errDown
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	res := (*c).DoMulti(ctx, build(*c)...)
	for _, r := range res {
		if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
			return nil, err
		}
	}
	return res, nil
}

// down opens the breaker.
func (l *l2) down(err error) {
	if l.up.CompareAndSwap(true, false) {
		l.trips.Add(1)
		l.o.Logger.Warn("redis left alone", "error", err)
	}
	l.poke()
}

func (l *l2) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
