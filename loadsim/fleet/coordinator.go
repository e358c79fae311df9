package fleet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/stampede-shop/stampede/loadsim"
)

// Options of a coordinator.
type Options struct {
	Name   string          // of the fleet; default "default"
	Agents int             // how many are wanted; needed
	Wait   time.Duration   // for so many to be free; default 30 s
	Load   loadsim.Options // the whole load; Progress is called with what all agents together did
}

// Run has a fleet play a load and merges what its agents recorded. It fails with ErrTooFew or ErrAgent before anything
// begins. When ctx ends, the agents are stopped, and what they did until then is returned with ctx's error.
func Run(ctx context.Context, nc *nats.Conn, o Options) (*loadsim.Recording, error) {
	if o.Name == "" {
		o.Name = "default"
	}
	if o.Wait == 0 {
		o.Wait = 30 * time.Second
	}
	if o.Load.MaxUsers == 0 {
		o.Load.MaxUsers = 20_000 * max(1, o.Agents)
	}
	if err := checkName(o.Name); err != nil {
		return nil, fmt.Errorf("%w: fleet %q: %w", ErrOptions, o.Name, err)
	}
	if o.Agents < 1 || o.Agents > 1000 {
		return nil, fmt.Errorf("%w: %d agents; 1 to 1000 are possible", ErrOptions, o.Agents)
	}
	c := &coordinator{nc: nc, o: o, run: subjects{o.Name, rand.Text()}}
	agents, err := c.gather(ctx)
	if err != nil {
		return nil, err
	}
	results, err := nc.SubscribeSync(c.run.of("result"))
	if err != nil {
		return nil, fmt.Errorf("fleet: subscribe: %w", err)
	}
	defer func() { _ = results.Unsubscribe() }()
	reports, err := nc.SubscribeSync(c.run.of("progress"))
	if err != nil {
		return nil, fmt.Errorf("fleet: subscribe: %w", err)
	}
	defer func() { _ = reports.Unsubscribe() }()
	defer c.live()()
	if err := c.prepare(ctx, agents); err != nil {
		publish(nc, c.run.of("stop"), struct{}{})
		return nil, err
	}
	publish(nc, c.run.of("go"), struct{}{})
	return c.collect(ctx, agents, results, reports)
}

type coordinator struct {
	nc  *nats.Conn
	o   Options
	run subjects
}

// gather calls until there are enough agents.
func (c *coordinator) gather(ctx context.Context) ([]string, error) {
	inbox := nats.NewInbox()
	answers, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("fleet: subscribe: %w", err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	found := map[string]bool{}
	for until := time.Now().Add(c.o.Wait); len(found) < c.o.Agents; {
		if time.Now().After(until) {
			return nil, fmt.Errorf("%w: %d of %d answered within %v (%s); start more of them: stampede load agent", ErrTooFew, len(found), c.o.Agents, c.o.Wait, names(found))
		}
		if err := c.nc.PublishRequest(c.run.call(), inbox, nil); err != nil {
			return nil, fmt.Errorf("fleet: call: %w", err)
		}
		for again := time.Now().Add(500 * time.Millisecond); len(found) < c.o.Agents; {
			wait, cancel := context.WithDeadline(ctx, again)
			msg, err := answers.NextMsgWithContext(wait)
			cancel()
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if errors.Is(err, context.DeadlineExceeded) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("fleet: call: %w", err)
			}
			var h hello
			if json.Unmarshal(msg.Data, &h) == nil && checkName(h.ID) == nil {
				found[h.ID] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))[:c.o.Agents], nil
}

func names(found map[string]bool) string {
	if len(found) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(found)), ", ")
}

// prepare gives each agent its part, all at once, and waits until all are ready.
func (c *coordinator) prepare(ctx context.Context, agents []string) error {
	ctx, cancel := context.WithTimeout(ctx, prepare)
	defer cancel()
	failed := make(chan error, len(agents))
	for part, id := range agents {
		go func() { failed <- c.prepareOne(ctx, id, part, len(agents)) }()
	}
	var errs []error
	for range agents {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

func (c *coordinator) prepareOne(ctx context.Context, id string, part, parts int) error {
	data, err := json.Marshal(orderOf(c.run.run, c.o.Load, part, parts))
	if err != nil {
		return err
	}
	msg, err := c.nc.RequestWithContext(ctx, c.run.agent(id), data)
	if err != nil {
		return fmt.Errorf("%w: %s does not answer: %w", ErrAgent, id, err)
	}
	var r ready
	if err := json.Unmarshal(msg.Data, &r); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrAgent, id, err)
	}
	if r.Error != "" {
		return fmt.Errorf("%w: %s: %s", ErrAgent, id, r.Error)
	}
	return nil
}

// live says again and again that the coordinator is there, until the function it returns is called.
func (c *coordinator) live() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(beat)
		defer t.Stop()
		for {
			publish(c.nc, c.run.of("alive"), struct{}{})
			select {
			case <-t.C:
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
