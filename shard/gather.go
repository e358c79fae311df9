package shard

import (
	"context"
	"errors"
)

// Policy says what the failure of some shards means for a call to all of them. There is none that hides a failure.
type Policy int

const (
	// RequireAll waits for every shard; any failure is an error, and all failures are in it.
	RequireAll Policy = iota
	// FailFast cancels the others at the first failure; the error is that failure, not what the cancelling brought about.
	FailFast
	// BestEffort waits for every shard and gives what there is: failures are in Answers.Failures, and are an error only
	// when no shard answered.
	BestEffort
)

// Answer is what one shard gave.
type Answer[T any] struct {
	Shard string
	Value T
}

// Answers is what a call to all shards brought, ordered by shard id.
type Answers[T any] struct {
	All      []Answer[T]
	Failures []*Error
}

// Complete tells that no shard is missing.
func (a Answers[T]) Complete() bool { return len(a.Failures) == 0 }

// Err joins the failures; nil when complete.
func (a Answers[T]) Err() error {
	errs := make([]error, len(a.Failures))
	for i, f := range a.Failures {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// Gather asks every shard in parallel, each under the cluster's deadline, and returns when all have finished: fn must heed
// its context. What has been answered and what has failed is in Answers even when there is an error.
func Gather[T any](ctx context.Context, c *Cluster, p Policy, fn func(ctx context.Context, n Node) (T, error)) (Answers[T], error) {
	nodes := c.now.Load().nodes
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	values, errs := make([]T, len(nodes)), make([]error, len(nodes))
	type report struct {
		i   int
		err error
	}
	reports := make(chan report, len(nodes))
	for i, n := range nodes {
		go func() {
			one := make(chan error, 1)
			defer func() { reports <- report{i, <-one} }()
			guard(n.ID, one, func() (err error) {
				values[i], err = observed(ctx, c, n, fn)
				return wrap(n.ID, err)
			})
		}()
	}
	var first error
	for range nodes {
		r := <-reports
		errs[r.i] = r.err
		if r.err != nil && first == nil {
			first = r.err
			if p == FailFast {
				stop(r.err)
			}
		}
	}
	return judge(nodes, values, errs, first, p)
}

func judge[T any](nodes []Node, values []T, errs []error, first error, p Policy) (Answers[T], error) {
	all := raise(errs) // panics first
	var a Answers[T]
	for i, n := range nodes {
		if errs[i] == nil {
			a.All = append(a.All, Answer[T]{n.ID, values[i]})
			continue
		}
		var e *Error
		if errors.As(errs[i], &e) {
			a.Failures = append(a.Failures, e)
		}
	}
	switch {
	case p == FailFast:
		return a, first
	case p == BestEffort && len(a.All) > 0:
		return a, nil
	default:
		return a, all
	}
}

// Number is what can be summed.
type Number interface {
	~int | ~int32 | ~int64 | ~uint | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Total is a sum over shards. Of tells how many shards are in it; Failures name those that are not.
type Total[N Number] struct {
	Sum      N
	Of       int
	Failures []*Error
}

// Sum adds up what every shard answers. Overflow is the caller's to avoid.
func Sum[N Number](ctx context.Context, c *Cluster, p Policy, fn func(ctx context.Context, n Node) (N, error)) (Total[N], error) {
	a, err := Gather(ctx, c, p, fn)
	t := Total[N]{Of: len(a.All), Failures: a.Failures}
	for _, one := range a.All {
		t.Sum += one.Value
	}
	return t, err
}

// Count sums a query that answers one whole number, such as SELECT count(*) FROM orders.
func Count(ctx context.Context, c *Cluster, p Policy, query string, args ...any) (Total[int64], error) {
	return Sum(ctx, c, p, func(ctx context.Context, n Node) (count int64, err error) {
		return count, n.Pool.QueryRow(ctx, query, args...).Scan(&count)
	})
}
