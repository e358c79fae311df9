package shop_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"
)

// The saga is tried on stores in memory whose every call waits to be let go by a schedule: all the ways in which checkouts, workers and
// cancellations may interleave, each call answered, failed, its answer lost, or its caller dead before or after it. One runs at a time, so
// a schedule that breaks a rule is found again, and made shorter, by rapid.

// fate is what becomes of a call.
type fate string

const (
	goes   fate = "goes"
	fails  fate = "fails"       // nothing happens, and the caller hears so
	lost   fate = "answer lost" // it happens, and the caller hears an error
	before fate = "dies before"
	after  fate = "dies after"
)

var (
	errFails = errors.New("the store failed")
	errLost  = errors.New("the answer was lost")
)

// death is what a caller panics with.
type death struct{}

// actor is somebody who makes calls, one after the other.
type actor struct {
	name string
	call string    // the call that waits
	go_  chan fate // lets it go
	ask  chan bool // true: a call waits; false: the actor has ended
}

// schedule runs actors, one call at a time.
type schedule struct {
	rt      *rapid.T
	waiting map[string]*actor
	current *actor // who runs
	faults  int    // how many calls may still go wrong
	trace   []string
}

func newSchedule(rt *rapid.T, faults int) *schedule {
	return &schedule{rt: rt, waiting: map[string]*actor{}, faults: faults}
}

// start adds an actor; it runs up to its first call.
func (s *schedule) start(name string, do func()) {
	a := &actor{name: name, go_: make(chan fate), ask: make(chan bool)}
	s.current = a
	go func() {
		defer func() {
			if p := recover(); p != nil {
				if _, ours := p.(death); !ours {
					panic(p)
				}
			}
			a.ask <- false
		}()
		do()
	}()
	s.await(a)
}

// await waits until an actor makes a call or ends.
func (s *schedule) await(a *actor) {
	if <-a.ask {
		s.waiting[a.name] = a
	} else {
		delete(s.waiting, a.name)
	}
}

// abandon ends all actors; it is for schedules that broke a rule.
func (s *schedule) abandon() {
	for _, a := range s.waiting {
		a.go_ <- before
		<-a.ask
	}
}

// step lets the call of one actor go; false when all have ended.
func (s *schedule) step() bool {
	if len(s.waiting) == 0 {
		return false
	}
	a := s.waiting[rapid.SampledFrom(slices.Sorted(maps.Keys(s.waiting))).Draw(s.rt, "next")]
	f := goes
	if s.faults > 0 {
		if f = rapid.SampledFrom([]fate{goes, goes, goes, goes, goes, goes, fails, lost, before, after}).Draw(s.rt, "fate"); f != goes {
			s.faults--
		}
	}
	s.trace = append(s.trace, fmt.Sprintf("%s: %s %s", a.name, a.call, f))
	s.current = a
	a.go_ <- f
	s.await(a)
	return true
}

// call is made by a store for each of its transactions: do is what it does.
func (s *schedule) call(name string, do func()) error {
	a := s.current
	a.call = name
	a.ask <- true
	f := <-a.go_
	if f == before {
		panic(death{})
	}
	if f == fails {
		return errFails
	}
	do()
	switch f {
	case after:
		panic(death{})
	case lost:
		return errLost
	}
	return nil
}
