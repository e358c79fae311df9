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

// Panic is what [Cluster.OnAll] panics with when the function it ran did: the shard, the value, and the stack of the
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

type outcome struct {
	err      error
	panicked *Panic
}

// run does the work on one shard and reports it, however fn ends: by returning, by a panic or by Goexit.
func (c *Cluster) run(ctx context.Context, n Node, fn func(context.Context, Node) error, report func(outcome)) {
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %s", c.timeout))
		defer cancel()
	}
	start := time.Now()
	out := outcome{err: errExited}
	defer func() {
		if v := recover(); v != nil {
			out.panicked = &Panic{Shard: n.ID, Value: v, Stack: debug.Stack()}
		}
		c.metrics.observe(n.ID, time.Since(start), out.err)
		report(out)
	}()
	out.err = fn(ctx, n)
}
