package chaos

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	defaultUndoTimeout = 15 * time.Second
	defaultRetry       = time.Second
)

// MaxActive is how many injections may be in force at a time.
const MaxActive = 256

// Options of an Injector; the zero value works.
type Options struct {
	// Dir is the folder of the journal, which has to outlive the process. "" keeps none: then what a killed process left
	// stays as it is.
	Dir string
	// UndoTimeout bounds one try to undo. Default 15 s.
	UndoTimeout time.Duration
	// Retry is the pause after a try that failed. Default 1 s.
	Retry time.Duration
	// Log hears of every injection and every undo. Default: nothing.
	Log *slog.Logger
}

// Injector injects faults and owns them until they are undone. Safe for concurrent use.
type Injector struct {
	faults  *Registry
	o       Options
	journal *journal

	mu      sync.Mutex
	stops   int // Stop calls under way: meanwhile nothing is injected
	closed  bool
	active  []*injection // in the order in which they were begun
	abandon chan struct{}
	owners  sync.WaitGroup
}

// New makes an injector of the faults in r.
func New(r *Registry, o Options) (*Injector, error) {
	o.UndoTimeout, o.Retry = cmp.Or(o.UndoTimeout, defaultUndoTimeout), cmp.Or(o.Retry, defaultRetry)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	j, err := openJournal(o.Dir)
	if err != nil {
		return nil, err
	}
	return &Injector{faults: r, o: o, journal: j, abandon: make(chan struct{})}, nil
}

// Inject injects a fault and returns when it is in force. It ends when its time is up, or by End, Stop or Close.
func (in *Injector) Inject(ctx context.Context, req Request) (Injection, error) {
	f, err := in.faults.Get(req.Fault)
	if err != nil {
		return Injection{}, err
	}
	v, err := f.values(req.Params)
	if err != nil {
		return Injection{}, err
	}
	if err := f.available(ctx); err != nil {
		return Injection{}, fmt.Errorf("%w: %s: %w", ErrUnavailable, f.Name, err)
	}
	plan, err := f.Plan(ctx, v)
	if err != nil {
		return Injection{}, fmt.Errorf("%s: %w", f.Name, err)
	}
	i, err := in.reserve(f, plan.Target, v)
	if err != nil {
		return Injection{}, err
	}
	if err := in.carryOut(ctx, i, plan, f.limit(req.For)); err != nil {
		in.forget(i)
		in.owners.Done()
		return Injection{}, fmt.Errorf("%s: %w", f.Name, err)
	}
	return in.snapshot(i), nil
}

// reserve takes the target.
func (in *Injector) reserve(f Fault, target string, v Values) (*injection, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed || in.stops > 0 {
		return nil, ErrStopped
	}
	if len(in.active) >= MaxActive {
		return nil, fmt.Errorf("%w: %d are in force: undo some of them", ErrBusy, len(in.active))
	}
	for _, other := range in.active {
		if target != "" && other.Target == target {
			return nil, fmt.Errorf("%w: %s has %s until %s", ErrBusy, other.Fault, target, other.Until.Format(time.TimeOnly))
		}
	}
	i := &injection{stop: make(chan struct{}), done: make(chan struct{})}
	i.Injection = Injection{ID: rand.Text()[:10], Fault: f.Name, Target: target, Params: v}
	in.active = append(in.active, i)
	in.owners.Add(1)
	return i, nil
}

// carryOut writes the plan down, injects, and gives the injection its owner.
func (in *Injector) carryOut(ctx context.Context, i *injection, plan Plan, limit time.Duration) error {
	if err := in.note("begin", i, plan.State); err != nil {
		return err
	}
	undo, err := plan.Inject(ctx, func(state any) error { return in.note("amend", i, state) })
	if err != nil {
		return errors.Join(err, in.note("end", i, nil))
	}
	in.mu.Lock()
	i.undo, i.Since = undo, time.Now()
	i.Until = i.Since.Add(limit)
	in.mu.Unlock()
	in.o.Log.Warn("fault injected", "fault", i.Fault, "target", i.Target, "params", i.Params, "for", limit)
	go in.own(i, limit)
	return nil
}

func (in *Injector) note(op string, i *injection, state any) error {
	rec := record{Op: op, ID: i.ID, Fault: i.Fault}
	if state != nil {
		raw, err := json.Marshal(state)
		if err != nil {
			return fmt.Errorf("chaos: journal: %w", err)
		}
		rec.State = raw
	}
	return in.journal.write(rec)
}

// own waits until the injection is to end, and undoes it, however often that takes.
func (in *Injector) own(i *injection, limit time.Duration) {
	defer in.owners.Done()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-i.stop:
	}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), in.o.UndoTimeout)
		err := i.undo(ctx)
		cancel()
		if err == nil {
			break
		}
		in.o.Log.Error("a fault is not undone; it is tried again", "fault", i.Fault, "target", i.Target, "error", err)
		in.mu.Lock()
		i.Error = err.Error()
		in.mu.Unlock()
		again := time.NewTimer(in.o.Retry)
		select {
		case <-again.C:
		case <-in.abandon: // it stays active, and in the journal
			again.Stop()
			close(i.done)
			return
		}
	}
	if err := in.note("end", i, nil); err != nil { // undone it is; the next process finds that out
		in.o.Log.Error("the journal does not know that a fault is undone", "fault", i.Fault, "error", err)
	}
	in.o.Log.Warn("fault undone", "fault", i.Fault, "target", i.Target)
	in.forget(i)
}

// forget drops an injection that is over.
func (in *Injector) forget(i *injection) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.active = slices.DeleteFunc(in.active, func(x *injection) bool { return x == i })
	close(i.done)
}

func (in *Injector) snapshot(i *injection) Injection {
	in.mu.Lock()
	defer in.mu.Unlock()
	return i.Injection
}

// Active are the injections in force, the oldest first.
func (in *Injector) Active() []Injection {
	in.mu.Lock()
	defer in.mu.Unlock()
	list := []Injection{}
	for _, i := range in.active {
		if i.undo != nil {
			list = append(list, i.Injection)
		}
	}
	return list
}

// End undoes one injection and returns when it is undone. When ctx ends before, it goes on being tried.
func (in *Injector) End(ctx context.Context, id string) error {
	return in.end(ctx, func(i *injection) bool { return i.ID == id })
}

// EndFault undoes all injections of one fault, as End does.
func (in *Injector) EndFault(ctx context.Context, fault string) error {
	return in.end(ctx, func(i *injection) bool { return i.Fault == fault })
}

func (in *Injector) end(ctx context.Context, which func(*injection) bool) error {
	var list []*injection
	in.mu.Lock()
	for _, i := range in.active {
		if which(i) {
			list = append(list, i)
		}
	}
	in.mu.Unlock()
	if len(list) == 0 {
		return ErrNotActive
	}
	return in.await(ctx, list)
}

// await has injections undone, the newest first, and waits for them.
func (in *Injector) await(ctx context.Context, list []*injection) error {
	for _, i := range slices.Backward(list) {
		i.once.Do(func() { close(i.stop) })
	}
	var errs []error
	for _, i := range slices.Backward(list) {
		select {
		case <-i.done:
		case <-ctx.Done():
		}
		if in.holds(i) {
			now := in.snapshot(i)
			errs = append(errs, fmt.Errorf("%w: %s %s: %s", ErrNotUndone, now.Fault, now.Target, cmp.Or(now.Error, "there was no time")))
		}
	}
	return errors.Join(errs...)
}

func (in *Injector) holds(i *injection) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Contains(in.active, i)
}

// Stop is the kill switch: it undoes everything, what is being injected at this moment too, and returns when nothing is left.
// Until then nothing new is injected. When ctx ends before, the error says what is left, and that goes on being tried.
func (in *Injector) Stop(ctx context.Context) error {
	in.mu.Lock()
	in.stops++
	list := slices.Clone(in.active)
	in.mu.Unlock()
	defer func() {
		in.mu.Lock()
		in.stops--
		in.mu.Unlock()
	}()
	return in.await(ctx, list)
}

// Close stops everything for good. What cannot be undone before ctx ends stays in the journal, for Recover. Safe to call
// twice.
func (in *Injector) Close(ctx context.Context) error {
	in.mu.Lock()
	first := !in.closed
	in.closed = true
	list := slices.Clone(in.active)
	in.mu.Unlock()
	err := in.await(ctx, list)
	if !first {
		return err
	}
	close(in.abandon)
	in.owners.Wait()
	return errors.Join(err, in.journal.close(in.o.Dir))
}
