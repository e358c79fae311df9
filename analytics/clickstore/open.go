package clickstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/ch-go"

	"github.com/stampede-shop/stampede/analytics"
)

// Store is an analytics.Store on ClickHouse.
type Store struct {
	o       Options
	readers chan struct{} // one for each connection that reads
	closed  atomic.Bool

	mu     sync.Mutex     // of what follows: appending
	client *ch.Client     // nil: none, or not of use any more
	zip    ch.Compression // of that connection
	zipped int            // bytes of the largest block that is compressed
	used   time.Time
	writer uint64 // who we are, in the rows
	next   uint64 // number of the append to come
	turn   uint64 // of the last row of the table place
	lost   bool   // another process has written since we opened
	block  block
}

var _ analytics.Store = (*Store)(nil)

// Open connects, and makes or migrates the schema. An error says that the server is not there, that the user may not do what is needed, or
// that the schema is newer than this program. A process that had the store open before is displaced by the first append of this one.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{o: o.withDefaults(), writer: rand.Uint64(), zipped: zipped}
	if o.Address == "" {
		return nil, errors.New("clickstore: Address is empty")
	}
	s.readers = make(chan struct{}, s.o.Readers)
	ctx, cancel := context.WithTimeout(ctx, s.o.WriteTimeout)
	defer cancel()
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// prepare makes the schema and finds out where the last process stopped.
func (s *Store) prepare(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.makeDatabase(ctx); err != nil {
		return err
	}
	if err := s.connect(ctx, ch.CompressionLZ4); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.retain(ctx); err != nil {
		return err
	}
	at, err := s.whereabouts(ctx, s.client)
	if err != nil {
		return err
	}
	s.next, s.turn = at.append+1, at.turn
	if at.behind { // the last process died between the rows and their place
		return s.writePlace(ctx, at.append, at.place)
	}
	return nil
}

// idle is how long a connection may be unused and still be trusted.
const idle = time.Minute

// connect makes a connection for appending, unless there is one. The lock is held.
func (s *Store) connect(ctx context.Context, zip ch.Compression) (err error) {
	if s.closed.Load() {
		return errClosed
	}
	if s.client != nil && (s.client.IsClosed() || s.zip != zip || time.Since(s.used) > idle) {
		_ = s.client.Close()
		s.client = nil
	}
	if s.client == nil {
		s.client, err = s.dial(ctx, s.o.Database, zip)
		s.zip = zip
	}
	s.used = time.Now()
	return err
}

// Maintain implements analytics.Store. There is nothing to do: the server merges and deletes by itself.
func (s *Store) Maintain(ctx context.Context, _ time.Time) error { return ctx.Err() }

// Close ends the store; an append that is under way ends first, within its deadline. Safe to call again.
func (s *Store) Close() error {
	s.closed.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		_ = s.client.Close() // nothing is under way: nothing can be lost
		s.client = nil
	}
	return nil
}
