package shard

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// Error is the failure of one shard.
type Error struct {
	Shard string
	Err   error
}

func (e *Error) Error() string { return fmt.Sprintf("shard %s: %v", e.Shard, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

func wrap(id string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Shard: id, Err: err}
}

// Panic is what calls to several shards panic with when the function they ran did: the shard, the value, and the stack of the
// goroutine in which it happened.
type Panic struct {
	Shard string
	Value any
	Stack []byte
}

func (p *Panic) Error() string {
	return fmt.Sprintf("panic on shard %s: %v\n\n%s", p.Shard, p.Value, p.Stack)
}

// Unwrap returns the panic's value when that is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// errExited is the outcome of a function that ended its goroutine instead of returning.
var errExited = errors.New("the function called runtime.Goexit")

// guard runs fn for a shard and reports its error however it ends: a panic becomes a *Panic.
func guard(id string, report chan<- error, fn func() error) {
	err := wrap(id, errExited)
	defer func() {
		if v := recover(); v != nil {
			if p, ok := v.(*Panic); ok { // of a call within: it knows better where
				err = p
			} else {
				err = &Panic{Shard: id, Value: v, Stack: debug.Stack()}
			}
		}
		report <- err
	}()
	err = fn()
}

// raise joins errors; a *Panic among them is raised in the caller.
func raise(errs []error) error {
	for _, err := range errs {
		if p, ok := err.(*Panic); ok {
			panic(p)
		}
	}
	return errors.Join(errs...)
}

// deadline bounds the work on one shard.
func (c *Cluster) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %s", c.timeout))
}

// OnAll runs fn on every shard in parallel, each under its own deadline, and waits for all of them: fn must heed its
// context. The result joins all failures, in the order of shard ids, each an [*Error]. A panic in fn is raised again in
// the caller, once every shard has finished.
func (c *Cluster) OnAll(ctx context.Context, fn func(ctx context.Context, n Node) error) error {
	_, err := Gather(ctx, c, RequireAll, func(ctx context.Context, n Node) (struct{}, error) { return struct{}{}, fn(ctx, n) })
	return err
}

// observed runs fn under the shard's deadline and counts it.
func observed[T any](ctx context.Context, c *Cluster, n Node, fn func(context.Context, Node) (T, error)) (value T, err error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	start := time.Now()
	err = errExited
	defer func() { c.metrics.observe(n.ID, time.Since(start), err) }()
	value, err = fn(ctx, n)
	return value, err
}
