package shard

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// ErrUnsorted means that a shard's part of a merge was not in the order that was promised.
var ErrUnsorted = errors.New("shard: items are not in order")

// MergeOptions tune a Merge; Compare is needed.
type MergeOptions[T any] struct {
	// Compare is the order in which every shard gives its items, and in which they are merged; equal ones come in the order of shard ids.
	Compare func(a, b T) int
	// Limit ends the merge after so many items; 0 means all.
	Limit int
	// Policy: with BestEffort a shard that fails is left out after its error was given; else the first error is the end.
	Policy Policy
	// Ahead is how many items a shard may be ahead of the merge; 0 means 64.
	Ahead int
}

// Merge reads ordered items from every shard in parallel and gives them in one order, as a stream: it holds no more than
// Ahead items of each shard. open returns the items of one shard and must heed its context, which ends when the merge has
// enough or the caller stops ranging; Merge then waits for all shards to let go. A shard on which the merge has to wait
// longer than the cluster's time-out fails. Failures are given as an [*Error] in place of an item, where they happen.
func Merge[T any](ctx context.Context, c *Cluster, o MergeOptions[T], open func(ctx context.Context, n Node) iter.Seq2[T, error]) iter.Seq2[T, error] {
	if o.Ahead <= 0 {
		o.Ahead = 64
	}
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		m := &merger[T]{c: c, o: o}
		done := make(chan error, len(c.now.Load().nodes))
		for _, n := range c.now.Load().nodes {
			s := &stream[T]{node: n, items: make(chan item[T], o.Ahead)}
			m.streams = append(m.streams, s)
			go guard(n.ID, done, func() error { defer close(s.items); s.fill(ctx, open); return nil })
		}
		defer func() { // the producers are ours: none outlives the merge
			cancel()
			var errs []error
			for range m.streams {
				errs = append(errs, <-done)
			}
			_ = raise(errs) // only a panic is news
		}()
		m.run(ctx, yield)
	}
}

type item[T any] struct {
	value T
	err   error
}

// stream is one shard's items on their way; head is the next one.
type stream[T any] struct {
	node  Node
	items chan item[T]
	head  T
}

func (s *stream[T]) fill(ctx context.Context, open func(context.Context, Node) iter.Seq2[T, error]) {
	for v, err := range open(ctx, s.node) {
		select {
		case s.items <- item[T]{v, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

type merger[T any] struct {
	c       *Cluster
	o       MergeOptions[T]
	streams []*stream[T]
	queue   []*stream[T] // a heap of those that have a head
}

func (m *merger[T]) Len() int      { return len(m.queue) }
func (m *merger[T]) Swap(i, j int) { m.queue[i], m.queue[j] = m.queue[j], m.queue[i] }
func (m *merger[T]) Push(x any)    { m.queue = append(m.queue, x.(*stream[T])) }
func (m *merger[T]) Pop() any {
	last := m.queue[len(m.queue)-1]
	m.queue = m.queue[:len(m.queue)-1]
	return last
}
func (m *merger[T]) Less(i, j int) bool {
	if d := m.o.Compare(m.queue[i].head, m.queue[j].head); d != 0 {
		return d < 0
	}
	return m.queue[i].node.ID < m.queue[j].node.ID
}

func (m *merger[T]) run(ctx context.Context, yield func(T, error) bool) {
	for _, s := range m.streams {
		ok, err := m.next(ctx, s)
		if err != nil && !m.fail(s, err, yield) {
			return
		}
		if ok {
			m.queue = append(m.queue, s)
		}
	}
	heap.Init(m)
	for n := 1; len(m.queue) > 0; n++ {
		s := m.queue[0]
		given := s.head
		if !yield(given, nil) || n == m.o.Limit {
			return
		}
		ok, err := m.next(ctx, s)
		if err == nil && ok && m.o.Compare(s.head, given) < 0 {
			ok, err = false, ErrUnsorted
		}
		if err != nil && !m.fail(s, err, yield) {
			return
		}
		if ok {
			heap.Fix(m, 0)
		} else {
			heap.Pop(m)
		}
	}
}

// fail gives a shard's error and tells whether the merge goes on without it.
func (m *merger[T]) fail(s *stream[T], err error, yield func(T, error) bool) bool {
	var none T
	return yield(none, wrap(s.node.ID, err)) && m.o.Policy == BestEffort
}

// next takes a shard's next item to its head; false at its end.
func (m *merger[T]) next(ctx context.Context, s *stream[T]) (ok bool, err error) {
	select {
	case it, more := <-s.items: // usually it is there already
		return s.take(it, more)
	default:
	}
	start := time.Now()
	ctx, cancel := m.c.deadline(ctx)
	defer cancel()
	select {
	case it, more := <-s.items:
		ok, err = s.take(it, more)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	m.c.metrics.observe(s.node.ID, time.Since(start), err)
	return ok, err
}

func (s *stream[T]) take(it item[T], more bool) (bool, error) {
	if !more || it.err != nil {
		return false, it.err
	}
	s.head = it.value
	return true, nil
}

// Rows turns a query into items for Merge; scan reads the current row, see pgx.RowToFunc.
func Rows[T any](ctx context.Context, n Node, scan func(row Row) (T, error), query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		rows, err := n.Pool.Query(ctx, query, args...)
		if err != nil {
			yield(none, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := scan(rows)
			if err != nil {
				err = fmt.Errorf("scan: %w", err)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(none, err)
		}
	}
}

// Row is what a scan reads from.
type Row interface{ Scan(dest ...any) error }
