package chaos_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/stampede-shop/stampede/chaos"
)

// world is a system that faults can be done to: things that are well, or have something.
type world struct {
	mu     sync.Mutex
	marks  map[string]string
	clumsy int // so many undos to come fail
}

func newWorld() *world { return &world{marks: map[string]string{}} }

func (w *world) state() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.marks)
}

func (w *world) set(thing, mark string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if was, marked := w.marks[thing]; marked {
		return fmt.Errorf("%s has %s already", thing, was)
	}
	w.marks[thing] = mark
	return nil
}

var errClumsy = errors.New("it slipped")

func (w *world) clear(thing string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clumsy > 0 {
		w.clumsy--
		return errClumsy
	}
	delete(w.marks, thing)
	return nil
}

// mark is a fault that marks the thing it is told.
func (w *world) mark(name string) chaos.Fault {
	return chaos.Fault{
		Name: name, Params: []chaos.Param{{Name: "thing", Required: true}},
		Plan: func(_ context.Context, v chaos.Values) (chaos.Plan, error) {
			thing := v.Text("thing")
			return chaos.Plan{Target: thing, State: thing, Inject: func(context.Context, func(any) error) (chaos.Undo, error) {
				if err := w.set(thing, name); err != nil {
					return nil, err
				}
				return func(context.Context) error { return w.clear(thing) }, nil
			}}, nil
		},
		Recover: func(_ context.Context, state json.RawMessage) error {
			var thing string
			if err := json.Unmarshal(state, &thing); err != nil {
				return err
			}
			return w.clear(thing)
		},
	}
}
