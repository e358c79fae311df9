package chaoslab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

// Names of the faults that are clients.
const (
	crowdFault       = "crowd"
	slowClientsFault = "slow-clients"
)

// crowdFaults are clients that come on top of the load. They end with this process.
func (c *Chaos) crowdFaults() []chaos.Fault {
	running := func(ctx context.Context) error { _, err := c.Status(ctx); return err }
	return []chaos.Fault{
		{
			Name: crowdFault, About: "more shoppers come, at once", Blast: "everybody: they share the shop", Limit: 5 * time.Minute, Available: running,
			Params: []chaos.Param{
				{Name: "scenario", About: "what they do, as in `stampede load scenarios`", Default: "browse"},
				{Name: "rate", About: "arrivals a second", Kind: chaos.Number, Default: "1000"},
				{Name: "shoppers", About: "the most of them at once", Kind: chaos.Number, Default: "2000"},
			},
			Plan: c.planCrowd,
		},
		{
			Name: slowClientsFault, About: "clients send their requests byte by byte, and never to the end", Blast: "the edge, whose connections they hold", Limit: 5 * time.Minute, Available: running,
			Params: []chaos.Param{
				{Name: "connections", About: "how many, at most 5000", Kind: chaos.Number, Default: "500"},
				{Name: "every", About: "pause between two bytes", Kind: chaos.Duration, Default: "500ms"},
			},
			Plan: c.planSlowClients,
		},
	}
}

func (c *Chaos) planCrowd(ctx context.Context, v chaos.Values) (chaos.Plan, error) {
	sc, err := scenario.Find(v.Text("scenario"))
	if err != nil {
		return chaos.Plan{}, fmt.Errorf("%w: %w", chaos.ErrParams, err)
	}
	st, err := c.Status(ctx)
	if err != nil {
		return chaos.Plan{}, err
	}
	o := loadsim.Options{Target: st.URL, Scenario: &sc, Rate: float64(v.Number("rate")), MaxUsers: v.Number("shoppers"), Duration: 10 * time.Minute, Seed: 7}
	return chaos.Plan{Inject: func(ctx context.Context, _ func(any) error) (chaos.Undo, error) {
		r, err := loadsim.Prepare(ctx, o)
		if err != nil {
			return nil, err
		}
		playing, stop := context.WithCancel(context.Background())
		var all sync.WaitGroup
		all.Go(func() { _, _ = r.Run(playing) }) // how they fare is not what is measured
		return func(context.Context) error {
			stop()
			all.Wait()
			return nil
		}, nil
	}}, nil
}

const mostSlowClients = 5000

func (c *Chaos) planSlowClients(ctx context.Context, v chaos.Values) (chaos.Plan, error) {
	n, every := v.Number("connections"), v.Duration("every")
	if n < 1 || n > mostSlowClients || every < 10*time.Millisecond {
		return chaos.Plan{}, fmt.Errorf("%w: connections from 1 to %d, every from 10ms", chaos.ErrParams, mostSlowClients)
	}
	st, err := c.Status(ctx)
	if err != nil {
		return chaos.Plan{}, err
	}
	u, err := url.Parse(st.URL)
	if err != nil {
		return chaos.Plan{}, err
	}
	return chaos.Plan{Inject: func(context.Context, func(any) error) (chaos.Undo, error) {
		ctx, stop := context.WithCancel(context.Background())
		var all sync.WaitGroup
		for range n {
			all.Go(func() { dawdle(ctx, u.Host, every) })
		}
		return func(context.Context) error {
			stop()
			all.Wait()
			return nil
		}, nil
	}}, nil
}

// dawdle is a client that takes its time, and comes again when it is thrown out.
func dawdle(ctx context.Context, addr string, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	request := append([]byte("GET /products?limit=20 HTTP/1.1\r\nHost: localhost\r\nX-Slow: "), bytes.Repeat([]byte("z"), 1<<16)...)
	for ctx.Err() == nil {
		if err := trickle(ctx, addr, request, tick.C); errors.Is(err, errThrownOut) {
			continue
		}
		select { // nobody takes us: not at once again
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

var errThrownOut = errors.New("the connection was ended")

func trickle(ctx context.Context, addr string, request []byte, tick <-chan time.Time) error {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for i := range request {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick:
		}
		_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write(request[i : i+1]); err != nil {
			return errThrownOut
		}
	}
	return nil
}
