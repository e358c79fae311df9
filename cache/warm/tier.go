package warm

import (
	"context"
	"crypto/rand"
)

// Tier is a cache, or several behind one another, that items are brought into. It is called from several goroutines.
type Tier interface {
	// Name is short and its own among the tiers of a Warmer.
	Name() string
	// Epoch changes when the tier has lost what was brought in before, as with a restart.
	Epoch() string
	// Warm makes sure that keys are there. An error says that it does not know of any of them.
	Warm(ctx context.Context, keys []string) (Outcome, error)
}

// Outcome is what became of keys; those not named were there already.
type Outcome struct {
	Loaded []string // had to be loaded
	Gone   []string // do not exist any more
}

// NewTier makes a tier that lives in this process, and is as empty as it when that starts.
func NewTier(name string, warm func(ctx context.Context, keys []string) (Outcome, error)) Tier {
	return processTier{name, rand.Text(), warm}
}

type processTier struct {
	name, epoch string
	warm        func(context.Context, []string) (Outcome, error)
}

func (t processTier) Name() string  { return t.name }
func (t processTier) Epoch() string { return t.epoch }

func (t processTier) Warm(ctx context.Context, keys []string) (Outcome, error) {
	return t.warm(ctx, keys)
}
