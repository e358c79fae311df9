package chaoslab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/command"
	"github.com/stampede-shop/stampede/chaos/link"
	"github.com/stampede-shop/stampede/internal/app/running"
)

// Chaos injects faults into a platform that runs: by its operations endpoint where it was started with --chaos, else, as far as
// that goes, from this process.
type Chaos struct {
	client *running.Client // nil: nothing runs
	data   string
	log    *slog.Logger
	here   chaos.Registry
	up     State // what the platform can do itself

	editor   *editor // of the last catalogue-edits
	mu       sync.Mutex
	injector *chaos.Injector // of faults from here; made when it is needed
}

var errNeedsChaos = errors.New("the platform has to be started with `stampede up --chaos`")

// Open finds the platform. That none runs in the data folder is fine for who only wants to know what there is, or to undo
// what was left. Close it.
func Open(ctx context.Context, data, ops string, log *slog.Logger) (*Chaos, error) {
	c := &Chaos{data: data, log: log}
	err := c.connect(ctx, data, ops)
	if ops == "" && errors.Is(err, running.ErrNotRunning) {
		c.client, err = nil, nil
	}
	c.addFaults()
	return c, err
}

func (c *Chaos) connect(ctx context.Context, data, ops string) (err error) {
	if c.client, err = running.NewClient(data, ops); err != nil {
		return err
	}
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	c.data = st.Data
	err = c.client.Do(ctx, http.MethodGet, "/admin/chaos", nil, &c.up)
	if err != nil && isStatus(err, http.StatusNotFound) {
		return nil // it was started without --chaos
	}
	return err
}

func (c *Chaos) addFaults() {
	c.here.Add(MachineFaults(c.data, c.Status)...)
	c.here.Add(command.New(command.Options{}))
	c.here.Add(c.crowdFaults()...)
	c.here.Add(c.editFault())
	c.here.Add(platformFaults()...)
}

// platformFaults are those that only a platform started with --chaos has. What they left behind can be undone by anybody.
func platformFaults() []chaos.Fault {
	list := new(link.Set).Faults()
	list = append(list, NewRules(nil, nil).Faults()...)
	list = append(append(list, DatabaseFaults(nil)...), CacheFault(nil))
	for i := range list {
		list[i].Available = func(context.Context) error { return errNeedsChaos }
	}
	return list
}

// isStatus tells whether an error is an answer with that status.
func isStatus(err error, status int) bool {
	return strings.Contains(err.Error(), fmt.Sprintf(": %d ", status))
}

// Status is the platform's.
func (c *Chaos) Status(ctx context.Context) (st running.Status, err error) {
	if c.client == nil {
		return st, running.NotRunning(c.data)
	}
	return st, c.client.Do(ctx, http.MethodGet, "/admin/status", nil, &st)
}

// Links are the proxied links of the platform.
func (c *Chaos) Links() []string { return c.up.Links }

// List is every fault there is, the platform's own first.
func (c *Chaos) List(ctx context.Context) []chaos.Info {
	list := slices.Clone(c.up.Faults)
	for _, f := range c.here.List(ctx) {
		if !c.upHas(f.Name) {
			list = append(list, f)
		}
	}
	return list
}

func (c *Chaos) upHas(name string) bool {
	return slices.ContainsFunc(c.up.Faults, func(f chaos.Info) bool { return f.Name == name })
}

// Active are the faults in force that the platform injected.
func (c *Chaos) Active() []chaos.Injection { return c.up.Active }

// Inject injects a fault and returns how to undo it.
func (c *Chaos) Inject(ctx context.Context, r chaos.Request) (chaos.Undo, error) {
	if !c.upHas(r.Fault) {
		return c.injectHere(ctx, r)
	}
	body := request{Params: r.Params}
	if r.For > 0 {
		body.For = r.For.String()
	}
	var i chaos.Injection
	if err := c.client.Do(ctx, http.MethodPost, "/admin/chaos/"+r.Fault, body, &i); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		err := c.client.Do(ctx, http.MethodDelete, "/admin/chaos/"+i.ID, nil, nil)
		if err != nil && isStatus(err, http.StatusNotFound) {
			return nil // its time was up
		}
		return err
	}, nil
}

func (c *Chaos) injectHere(ctx context.Context, r chaos.Request) (chaos.Undo, error) {
	st, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	if r.Params, err = resolveRoles(st, r.Params); err != nil {
		return nil, err
	}
	in, err := c.own()
	if err != nil {
		return nil, err
	}
	i, err := in.Inject(ctx, r)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if err := in.End(ctx, i.ID); err != nil && !errors.Is(err, chaos.ErrNotActive) {
			return err
		}
		if r.Fault == editsFault {
			return c.editor.found()
		}
		return nil
	}, nil
}

func (c *Chaos) own() (*chaos.Injector, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.injector == nil {
		c.injector, err = chaos.New(&c.here, chaos.Options{Dir: Dir(c.data), Log: c.log})
	}
	return c.injector, err
}

// Close undoes what was injected from here. Safe to call twice.
func (c *Chaos) Close(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.injector == nil {
		return nil
	}
	return c.injector.Close(ctx)
}

const chaosPatience = 10 * time.Second

// Stop is the kill switch: it ends every other process that injects here, and undoes what they, dead ones and the platform
// have in force.
func (c *Chaos) Stop(ctx context.Context) ([]chaos.Recovered, error) {
	var spare []int
	var errs []error
	if st, err := c.Status(ctx); err == nil {
		spare = append(spare, st.PID) // it is asked
	}
	done, err := chaos.StopOthers(ctx, Dir(c.data), &c.here, chaosPatience, spare...)
	errs = append(errs, err)
	if len(c.up.Faults) > 0 {
		for _, i := range c.up.Active {
			done = append(done, chaos.Recovered{Fault: i.Fault})
		}
		errs = append(errs, c.client.Do(ctx, http.MethodDelete, "/admin/chaos", nil, nil))
	}
	return done, errors.Join(errs...)
}
