package prove

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

// pace is how long everything takes.
type pace struct {
	warm, probe, browse, rush, journey, scale, slot time.Duration
	settle                                          time.Duration // what a cancelled or failed order held may take to come back

	samples   int // requests whose tier is looked at
	repeats   int // of the measurements of each number of instances
	rushStock int64
	rushUsers int
}

var (
	thorough = pace{8 * time.Second, 4 * time.Second, 30 * time.Second, 8 * time.Second, 25 * time.Second, 500 * time.Millisecond, 6 * time.Second, 20 * time.Second, 40_000, 32, 1500, 64}
	quick    = pace{3 * time.Second, 2 * time.Second, 8 * time.Second, 4 * time.Second, 8 * time.Second, 500 * time.Millisecond, 3 * time.Second, 20 * time.Second, 10_000, 8, 400, 48}
)

// scaled makes everything shorter or longer.
func (p pace) scaled(by float64) pace {
	for _, d := range []*time.Duration{&p.warm, &p.probe, &p.browse, &p.rush, &p.journey, &p.scale, &p.slot, &p.settle} {
		*d = max(300*time.Millisecond, time.Duration(float64(*d)*by))
	}
	p.samples = max(1000, int(float64(p.samples)*by))
	p.rushStock = max(50, int64(float64(p.rushStock)*by))
	return p
}

// trial is one proof under way: what several criteria share is measured once and kept.
type trial struct {
	o        Options
	pace     pace
	platform Platform
	about    About
	shop     *shop
	ledger   *ledger
	net      *http.Transport
	egress   *atomic.Int64 // bytes that came over net
	report   *Report

	rushItem, item int64 // products made for this
	made           []int64
	idle           map[string]float64 // cores that are busy while nobody comes, by role

	browsed once[browsing]
	rushed  once[rushing]
	walked  once[walking]
	traded  once[Load]
	scaled  once[Scaling]
	shaken  once[shaking]
	booked  once[booking]
}

// once keeps what a measurement found, or why it failed.
type once[T any] struct {
	done  bool
	value T
	err   error
}

func (o *once[T]) get(measure func() (T, error)) (T, error) {
	if !o.done {
		o.value, o.err = measure()
		o.done = true
	}
	return o.value, o.err
}

func newTrial(o Options, about About) *trial {
	t := &trial{o: o, pace: thorough, platform: o.Platform, about: about, egress: new(atomic.Int64)}
	if o.Quick {
		t.pace = quick
	}
	if o.Pace > 0 {
		t.pace = t.pace.scaled(o.Pace)
	}
	if o.stock > 0 {
		t.pace.rushStock = o.stock
	}
	dial := &net.Dialer{Timeout: 5 * time.Second}
	t.net = &http.Transport{
		MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096, IdleConnTimeout: 10 * time.Second,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &counted{c, t.egress}, nil
		},
	}
	t.ledger = newLedger(t.net)
	t.shop = newShop(about.URL, about.Token, t.net)
	return t
}

// counted counts what comes over a connection.
type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func (t *trial) say(format string, args ...any) {
	if t.o.Progress != nil {
		t.o.Progress(fmt.Sprintf(format, args...))
	}
}

// plentiful is the stock of a product that must not run out.
const plentiful = 1_000_000

// prepare makes the products that will be bought, after deleting those that a proof before has left.
func (t *trial) prepare(ctx context.Context) error {
	left, err := t.shop.leftovers(ctx)
	if err != nil {
		return err
	}
	t.made = append(t.made, left...)
	run := strconv.FormatInt(time.Now().UnixMilli(), 36)
	for _, p := range []struct {
		id    *int64
		name  string
		units int64
	}{{&t.rushItem, "RUSH", t.pace.rushStock}, {&t.item, "WALK", plentiful}} {
		id, err := t.shop.create(ctx, prefix+run+"-"+p.name, "Proving ground: "+p.name, p.units)
		if id != 0 {
			t.made = append(t.made, id)
		}
		if err != nil {
			return fmt.Errorf("make a product to buy: %w", err)
		}
		*p.id = id
	}
	return nil
}

const undoLimit = 2 * time.Minute

// putBack cancels what was bought and deletes what was made, whatever happened before.
func (t *trial) putBack(ctx context.Context) (cancelled int64, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	cancelled, err = t.ledger.undo(ctx, t.shop)
	if err == nil {
		err = t.restocked(ctx)
	}
	for _, id := range t.made {
		err = errors.Join(err, t.shop.remove(ctx, id))
	}
	t.net.CloseIdleConnections()
	if err != nil {
		err = fmt.Errorf("put everything back: %w", err)
	}
	return cancelled, err
}

// restocked waits until what was cancelled is in stock again.
func (t *trial) restocked(ctx context.Context) error {
	return await(ctx, t.pace.settle, func() error {
		for id, units := range map[int64]int64{t.rushItem: t.pace.rushStock, t.item: plentiful} {
			if id == 0 {
				continue
			}
			if n, err := t.shop.available(ctx, id); err != nil || n != units {
				return errors.Join(err, fmt.Errorf("product %d has %d units of %d after all its orders were cancelled", id, n, units))
			}
		}
		return nil
	})
}

// await asks until the answer is nil, or time is up.
func await(ctx context.Context, limit time.Duration, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// steps of a scenario.
func do(action string, times int, of string) scenario.Step {
	return scenario.Step{Do: action, Times: scenario.Times(times), Of: of}
}

// play lets shoppers loose on the shop; those that buy come by the ledger.
func (t *trial) play(ctx context.Context, name string, load scenario.Load, steps ...scenario.Step) (*loadsim.Report, error) {
	sc := scenario.Scenario{
		Name: name, Load: load, Popularity: scenario.Popularity{Product: t.item},
		Shoppers: []scenario.Shopper{{Kind: name, Steps: steps}},
	}
	return t.run(ctx, loadsim.Options{Target: t.about.URL, Scenario: &sc, Transport: t.ledger})
}

// run runs the simulator; its progress becomes ours.
func (t *trial) run(ctx context.Context, o loadsim.Options) (*loadsim.Report, error) {
	o.Seed, o.Timeout = t.o.Seed, callLimit
	name := "load"
	if o.Scenario != nil {
		name = o.Scenario.Name
	}
	o.Progress = func(s loadsim.Snapshot) {
		t.say("  %s: %d requests, %d bad, %d orders", name, s.Requests, s.Errors, s.Orders)
	}
	return loadsim.Run(ctx, o)
}
