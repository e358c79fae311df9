//go:build !linux

package loadsim

import (
	"context"
	"time"
)

// metronome waits for moments by a timer of the runtime.
type metronome struct{}

func newMetronome() *metronome { return &metronome{} }

func (*metronome) stop() {}

// wait returns at that moment, or when ctx ends.
func (*metronome) wait(ctx context.Context, until time.Time) { pause(ctx, time.Until(until)) }
