package cache

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// Store is what the families of one process share: the connection to Redis, the state of tags, the bus. It is safe for
// concurrent use.
type Store struct {
	o    Options
	id   string // tells own messages from others'
	gens *generations
	l2   *l2         // nil without Redis
	live func() bool // nil: always

	lively atomic.Int64 // by clock, when live was last asked and true

	clock    *otter.CoarseClock // for uses of L1: the exact time would cost as much as the rest of it
	packer   *packer
	hot      hotKeys
	behind   *queue
	dropping sync.Mutex // held while something is dropped, and while an update in memory replaces what it read

	unsubscribe func()
	collector   *collector

	mu       sync.Mutex
	families []member
	closed   bool
	work     sync.WaitGroup

	sent, received atomic.Uint64 // invalidations
}

// member is what a Store needs of a Family whatever its type.
type member interface {
	stats() FamilyStats
	covers(tag string, limit int) []Covered
	clear()
	resize(share float64)
	close()
}

// clockStep is how exactly time is told in L1.
const clockStep = 10 * time.Millisecond

// NewStore makes a Store. Redis being away is no error: it is used when it answers.
func NewStore(o Options) (*Store, error) {
	s := &Store{o: o.withDefaults(), id: token(), gens: newGenerations()}
	var err error
	if s.packer, err = newPacker(s.o.Dictionary); err != nil {
		return nil, err
	}
	if len(o.Redis) > 0 {
		if s.l2, err = newL2(s.o, s.gens, l2hooks{lost: s.lost, mended: s.mended}); err != nil {
			s.packer.close()
			return nil, err
		}
	}
	s.clock = otter.NewCoarseClock(clockStep)
	s.hot.init()
	s.behind = newQueue(s.o.Queue)
	if b, ok := o.Bus.(interface{ Live() bool }); ok {
		s.live = b.Live
	}
	if o.Bus != nil {
		cancel, err := o.Bus.Subscribe(s.receive)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("cache: subscribe to the bus: %w", err)
		}
		s.unsubscribe = cancel
	}
	if o.Registerer != nil {
		s.collector = newCollector(s)
		if err := o.Registerer.Register(s.collector); err != nil {
			s.o.Logger.Warn("cache metrics not registered", "error", err)
		}
	}
	return s, nil
}

// Close stops the Store and waits for the loads it started and the background work it accepted. It may be called again.
func (s *Store) Close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	families := s.families
	s.mu.Unlock()
	if !first {
		return
	}
	if s.unsubscribe != nil {
		s.unsubscribe()
	}
	if s.collector != nil {
		s.o.Registerer.Unregister(s.collector)
	}
	s.behind.close()
	s.work.Wait()
	if s.l2 != nil {
		s.l2.close()
	}
	for _, f := range families {
		f.close()
	}
	s.clock.Stop()
	s.packer.close()
}

// spawn runs fn in a goroutine that Close waits for; false when the Store is closed.
func (s *Store) spawn(fn func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Go(fn)
	return true
}

func (s *Store) add(f member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.families = append(s.families, f)
}

func (s *Store) members() []member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.families[:len(s.families):len(s.families)]
}

// Ready tells whether L2 is in use; nil without Redis.
func (s *Store) Ready(context.Context) error {
	if s.l2 == nil || s.l2.up.Load() {
		return nil
	}
	return errDown
}

// deaf tells whether invalidations may be passing us by.
func (s *Store) deaf() bool { return s.live != nil && !s.live() }

// maybeDeaf is deaf with an answer that may be as old as a step of the clock: asking costs as much as a hit.
func (s *Store) maybeDeaf() bool {
	if s.live == nil {
		return false
	}
	now := s.clock.NowNano()
	if s.lively.Load() == now {
		return false
	}
	if !s.live() {
		return true
	}
	s.lively.Store(now)
	return false
}

// beforeLoad has the loader catch up with what it may not have been told.
func (s *Store) beforeLoad(ctx context.Context) {
	if s.o.Unheard != nil && s.deaf() {
		s.o.Unheard(ctx)
	}
}

// logPanic notes a panic in work that nobody may be waiting for, and lets it go on.
func (s *Store) logPanic(family string) {
	if v := recover(); v != nil {
		s.o.Logger.Error("a load in the background panicked", "family", family, "panic", v, "stack", string(debug.Stack()))
		panic(v)
	}
}

// token is a random name that nobody else has.
func token() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
