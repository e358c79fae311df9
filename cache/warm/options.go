package warm

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Errors of this package.
var (
	// ErrOptions means that options, or a request, make no sense.
	ErrOptions = errors.New("warm: bad options")
	// ErrBusy means that a run is under way: wait for it, or cancel it.
	ErrBusy = errors.New("warm: a run is under way")
	// ErrCancelled is how a run ends that somebody cancelled. What it has done is remembered: the same request goes on there.
	ErrCancelled = errors.New("warm: the run was cancelled")
	// ErrPressure means that others needed what is loaded from for longer than Options.MaxPause.
	ErrPressure = errors.New("warm: others left no room for warming")
	// ErrFailing means that one batch after the other failed; the last failure is wrapped as well.
	ErrFailing = errors.New("warm: items fail one after the other")
	// ErrClosed is the answer of a closed Warmer.
	ErrClosed = errors.New("warm: closed")
)

// Options of a [Warmer]; the zero value works.
type Options struct {
	// Predictor foretells what will be asked for. Default is what [Warmer.Seen] was told, weighing less the older it is.
	Predictor Predictor
	// Values tells what keys are worth; nil means that all are worth the same.
	Values Valuer
	// Pressure tells when others need what is loaded from; nil means never. See [Meter].
	Pressure Pressure
	// Store keeps counts, what was learnt and how far a run has come, over a restart; nil means that they are lost. See [Dir].
	Store Store
	// Name begins the names of what is stored, and is a label of the metrics. Default "warm".
	Name string

	// Life is how long what is brought in under a key is of use; nil means for ever. An item that will not be asked for by then, as it
	// looks, is left out: see MinUse.
	Life func(key string) time.Duration
	// Top bounds how many items a run brings in. How many it does is learnt; it begins with half. Default 10,000.
	Top int
	// Rate bounds how many items a second are loaded. Below it the rate is learnt; it begins with half. Default 1000.
	Rate float64
	// Capacity is how many loads what is loaded from does at a time without slowing down. Default 8.
	Capacity int
	// Share is how much of Capacity warming may take: at most Capacity × Share batches are under way, at least one. Default 0.25.
	Share float64
	// Batch is how many items are brought in together at most. Default 16.
	Batch int
	// BatchTimeout bounds one batch in one tier. Default 5 s.
	BatchTimeout time.Duration
	// Slow is how long a batch may take; when one takes longer, the rate is halved. Default 250 ms.
	Slow time.Duration
	// MaxPause is how long a run waits for pressure to fall before it gives up. Default 30 s.
	MaxPause time.Duration

	// Window is for how long after a run it is watched which of its items are asked for. It should not be longer than values
	// live. Default 5 min.
	Window time.Duration
	// MinUse is which share of items has to be asked for within Window for warming so many to be worth it, and how probable it has to
	// be that one is within its Life. Default 0.3.
	MinUse float64
	// ResumeWithin is how old what is known of an interrupted run may be for the next one to go on there. Default 15 min.
	ResumeWithin time.Duration
	// SaveEvery is how often counts are stored. Default 30 s.
	SaveEvery time.Duration

	// Popularity is what Seen counts in; nil is a new one. Giving it serves whoever makes a Predictor of it and others.
	Popularity *Popularity
	// Registerer gets the metrics; nil means none.
	Registerer prometheus.Registerer
	// Log hears of runs and what they were good for; nil discards.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	def(&o.Name, "warm")
	def(&o.Top, 10_000)
	def(&o.Rate, 1000)
	def(&o.Capacity, 8)
	def(&o.Share, 0.25)
	def(&o.Batch, 16)
	def(&o.BatchTimeout, 5*time.Second)
	def(&o.Slow, 250*time.Millisecond)
	def(&o.MaxPause, 30*time.Second)
	def(&o.Window, 5*time.Minute)
	def(&o.MinUse, 0.3)
	def(&o.ResumeWithin, 15*time.Minute)
	def(&o.SaveEvery, 30*time.Second)
	if o.Popularity == nil {
		o.Popularity = NewPopularity(PopularityOptions{})
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) check() error {
	for name, bad := range map[string]bool{
		"Top": o.Top < 0, "Rate": !(o.Rate > 0), "Capacity": o.Capacity < 0, "Batch": o.Batch < 0,
		"Share, which is above 0 and at most 1": !(o.Share > 0 && o.Share <= 1), "MinUse, which is from 0 to 1": !(o.MinUse >= 0 && o.MinUse <= 1),
		"a duration": min(o.BatchTimeout, o.Slow, o.MaxPause, o.Window, o.ResumeWithin, o.SaveEvery) < 0,
	} {
		if bad {
			return fmt.Errorf("%w: %s", ErrOptions, name)
		}
	}
	return nil
}

// slots is how many batches may be under way.
func (o Options) slots() int { return max(1, int(float64(o.Capacity)*o.Share)) }

// def sets *v to d when it is the zero value.
func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
