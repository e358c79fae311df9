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
	fails  atomic.Int64 // by how many they outnumber successes
	table  *table
	ledger ledger

	deadlines deadlines
	alone     bool                   // not a cluster; of the mender alone
	floor     atomic.Pointer[moment] // the highest number of the clock seen
	tripped   atomic.Bool            // the breaker opened, and the mender has not seen it yet
	mending   atomic.Bool            // Redis answers, and what was remembered is being written
	hooks     l2hooks

	word      atomic.Pointer[string] // of the last epoch seen
	coldUntil atomic.Int64           // Redis lost its memory; see helps

	mu           sync.Mutex
	pending      map[string]struct{} // tags Redis has not heard of
	pendingKeys  map[string]struct{}
	pendingClear bool
	lostEpoch    string // to be given up: see failover.go

	wake  chan struct{}
	ready chan struct{} // closed after the first attempt to connect
	stop  context.CancelFunc
	done  chan struct{}

	errors, trips, lost atomic.Uint64
}

// l2hooks are what the Store does when Redis says something.
type l2hooks struct {
	lost   func()                // messages were lost
	mended func(reading, change) // what was remembered has reached Redis, under this number
}

// change is what becomes stale; keys are those of Redis.
type change struct {
	tags, keys []string
	clear      bool
}

func newL2(o Options, g *generations, hooks l2hooks) (*l2, error) {
	opt, err := clientOption(o)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &l2{o: o, opt: opt, table: &table{g: g}, hooks: hooks, pending: map[string]struct{}{}, pendingKeys: map[string]struct{}{},
		wake: make(chan struct{}, 1), ready: make(chan struct{}), stop: stop, done: make(chan struct{})}
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
	opt.ClusterOption.ShardsRefreshInterval = time.Second
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
		l.succeeded()
	case ctx.Err() == nil:
		l.failed(err)
	}
	return res, err
}

func (l *l2) succeeded() {
	if n := l.fails.Load(); n > 0 {
		l.fails.CompareAndSwap(n, n-1)
	}
}

// failed counts a failure against Redis.
func (l *l2) failed(err error) {
	l.errors.Add(1)
	if l.fails.Add(1) >= int64(l.o.Trip) {
		l.down(err)
	}
}

// raw is do whatever the breaker says, bounded by limit of this process's own time.
func (l *l2) raw(ctx context.Context, limit time.Duration, build func(c rueidis.Client) rueidis.Commands) ([]rueidis.RedisResult, error) {
	c := l.client.Load()
	if c == nil {
		return nil, errDown
	}
	ctx, stop := inOwnTime(ctx, limit)
	defer stop()
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
		l.tripped.Store(true)
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

// coldFor is how long after Redis lost its memory the source is protected as if Redis were out.
const coldFor = 10 * time.Second

// helps tells whether Redis takes the load off the source as it should.
func (l *l2) helps() bool { return l.up.Load() && time.Now().UnixNano() >= l.coldUntil.Load() }

// saw notes the epoch's word: a new one means that everything in Redis is gone.
func (l *l2) saw(m moment) {
	word, _ := m.word()
	if old := l.word.Load(); word != "" && (old == nil || *old != word) {
		if l.word.Swap(&word) != nil {
			l.coldUntil.Store(time.Now().Add(coldFor).UnixNano())
			l.o.Logger.Warn("redis has lost its memory")
		}
	}
}
