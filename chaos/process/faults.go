package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/internal/ident"
)

// Found is a supervised process at one moment.
type Found struct {
	Pid   int
	Ready bool // it does its work
}

// Finder looks a supervised process up by its name. While there is none it returns no error and pid 0; an error means that
// there is no process of that name, or that nobody knows.
type Finder func(ctx context.Context, name string) (Found, error)

// Names of the faults.
const (
	KillFault  = "process-kill"
	PauseFault = "process-pause"
	DownFault  = "process-down"
)

var target = chaos.Param{Name: "target", About: "the process, by the name that its supervisor knows it by", Required: true}

// Faults are those of processes that find finds. Nobody is signalled but those, and what they have started.
func Faults(find Finder) []chaos.Fault {
	return []chaos.Fault{
		{
			Name: KillFault, About: "ends a process at once (SIGKILL); its supervisor brings it back",
			Blast: "whatever the process was doing, until it is back", Params: []chaos.Param{target}, Limit: time.Minute, Plan: find.planKill,
		},
		{
			Name: PauseFault, About: "halts a process and all it has started (SIGSTOP), and lets them go on",
			Blast: "whoever waits for the process: its connections stay open and silent", Params: []chaos.Param{target}, Limit: 5 * time.Minute,
			Plan: find.planPause, Recover: recoverPause,
		},
		{
			Name: DownFault, About: "ends a process and each of its successors, so that it stays down",
			Blast: "whoever needs the process: connections to it are refused", Params: []chaos.Param{target}, Limit: 5 * time.Minute, Plan: find.planDown,
		},
	}
}

func targetOf(v chaos.Values) string { return "process " + v.Text("target") }

// running finds a process that is there now.
func (find Finder) running(ctx context.Context, name string) (Identity, error) {
	found, err := find(ctx, name)
	if err != nil {
		return Identity{}, err
	}
	id, ok := ident.Of(found.Pid)
	if !ok {
		return Identity{}, fmt.Errorf("%s does not run at this moment", name)
	}
	return id, nil
}

// back waits until a process other than was is ready.
func (find Finder) back(ctx context.Context, name string, was Identity) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		found, err := find(ctx, name)
		if id, ok := ident.Of(found.Pid); err == nil && found.Ready && ok && id != was {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s is not back: %w", name, context.Cause(ctx)), err)
		}
	}
}

func (find Finder) planKill(ctx context.Context, v chaos.Values) (chaos.Plan, error) {
	name := v.Text("target")
	id, err := find.running(ctx, name)
	return chaos.Plan{Target: targetOf(v), State: id, Inject: func(context.Context, func(any) error) (chaos.Undo, error) {
		if err := id.Signal(syscall.SIGKILL); err != nil {
			return nil, err
		}
		return func(ctx context.Context) error { return find.back(ctx, name, id) }, nil
	}}, err
}

func (find Finder) planPause(ctx context.Context, v chaos.Values) (chaos.Plan, error) {
	id, err := find.running(ctx, v.Text("target"))
	return chaos.Plan{Target: targetOf(v), State: []Identity{id}, Inject: func(_ context.Context, amend func(any) error) (chaos.Undo, error) {
		var frozen []Identity
		err := ident.Freeze(id, func(all []Identity) error {
			frozen = all
			return amend(all)
		})
		if err != nil {
			return nil, err
		}
		return func(context.Context) error { return ident.Thaw(frozen) }, nil
	}}, err
}

func recoverPause(_ context.Context, state json.RawMessage) error {
	var frozen []Identity
	if err := json.Unmarshal(state, &frozen); err != nil {
		return err
	}
	return ident.Thaw(frozen)
}

// planDown needs no recovery: nobody is killed any more once we are gone.
func (find Finder) planDown(ctx context.Context, v chaos.Values) (chaos.Plan, error) {
	name := v.Text("target")
	id, err := find.running(ctx, name)
	return chaos.Plan{Target: targetOf(v), State: id, Inject: func(context.Context, func(any) error) (chaos.Undo, error) {
		if err := id.Signal(syscall.SIGKILL); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		var keeper sync.WaitGroup
		keeper.Go(func() { find.keepDown(ctx, name) })
		return func(ctx context.Context) error {
			cancel()
			keeper.Wait()
			return find.back(ctx, name, id)
		}, nil
	}}, err
}

// keepDown kills whoever comes up under the name.
func (find Finder) keepDown(ctx context.Context, name string) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if id, err := find.running(ctx, name); err == nil && ctx.Err() == nil {
			_ = id.Signal(syscall.SIGKILL) // gone already, or tried again
		}
	}
}
