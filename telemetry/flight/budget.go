package flight

import (
	"runtime/metrics"
	"time"
)

const (
	// latencies has one entry for every eighth time that a goroutine got a processor.
	latencies  = "/sched/latencies:seconds"
	latencyOne = 8

	savedUp  = 60 // seconds of Options.Busy that may be spent at once
	slackens = .8 // of Options.Busy, below which a process is quiet again
	startsAt = .1 // of what may be saved up, with which it is worth to begin
)

// switches returns a function that tells how many times the runtime has given a goroutine a processor, about; 0 from a runtime that does
// not tell. It is for one goroutine.
func switches() func() uint64 {
	sample := []metrics.Sample{{Name: latencies}} // keeps the memory of the histogram
	return func() (n uint64) {
		metrics.Read(sample)
		if sample[0].Value.Kind() != metrics.KindFloat64Histogram {
			return 0
		}
		for _, c := range sample[0].Value.Float64Histogram().Counts {
			n += c
		}
		return n * latencyOne
	}
}

// budget bounds what recording costs: nearly all of it is the runtime noting that goroutines begin and cease to run. On average so many
// are recorded as a process has that is not busy.
type budget struct {
	busy float64 // switches a second
	read func() uint64

	at   time.Time
	seen uint64
	rate float64 // of late, a second
	left float64 // switches that may yet be recorded
}

func newBudget(busy float64, now time.Time, read func() uint64) *budget {
	return &budget{busy: busy, read: read, at: now, seen: read(), left: busy * savedUp}
}

// beat counts what has been since the last beat.
func (b *budget) beat(now time.Time, recording bool) {
	seconds := now.Sub(b.at).Seconds()
	if seconds < Beat.Seconds()/2 { // woken in between: too little for a rate
		return
	}
	seen := b.read()
	grown := float64(seen - b.seen)
	b.at, b.seen = now, seen
	b.rate += (grown/seconds - b.rate) / 4
	if recording {
		b.left -= grown
	}
	b.left = max(-b.busy*savedUp, min(b.left+b.busy*seconds, b.busy*savedUp))
}

// quiet tells whether recording all the time costs little enough.
func (b *budget) quiet(recording bool) bool {
	if recording {
		return b.rate <= b.busy
	}
	return b.rate <= b.busy*slackens
}

// allows tells whether there is enough saved up to go on, or to begin.
func (b *budget) allows(recording bool) bool {
	if recording {
		return b.left > 0
	}
	return b.left >= b.busy*savedUp*startsAt
}
