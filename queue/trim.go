package queue

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

// trimLoop makes room in the event stream before it is full. The stream refuses what does not fit, so without this the
// history that everybody has handled would stop the events that nobody has seen.
func (r *Relay) trimLoop(ctx context.Context, js jetstream.JetStream) {
	for pause(ctx, jitter(r.o.TrimEvery), nil) {
		if !js.Conn().IsConnected() {
			continue
		}
		call, cancel := context.WithTimeout(ctx, r.o.AckWait)
		n, err := trim(call, js, r.o.TrimAt)
		cancel()
		switch {
		case err != nil && ctx.Err() == nil:
			r.o.Log.Debug("trimming the event stream failed", "error", err)
		case n > 0:
			r.o.Log.Info("trimmed handled events from the stream", "below_sequence", n)
		}
	}
}

// trim deletes, when the event stream is fuller than share of its bytes, every event below the first one that some
// consumer has still to handle, and returns that sequence. Without consumers nothing is deleted.
func trim(ctx context.Context, js jetstream.JetStream, share float64) (uint64, error) {
	s, err := js.Stream(ctx, EventStream)
	if err != nil {
		return 0, err
	}
	info := s.CachedInfo()
	if info.Config.MaxBytes <= 0 || float64(info.State.Bytes) < share*float64(info.Config.MaxBytes) || info.State.Consumers == 0 {
		return 0, nil
	}
	floor := info.State.LastSeq // a consumer with nothing to do has handled all that was there when we looked
	consumers := s.ListConsumers(ctx)
	seen := 0
	for c := range consumers.Info() {
		seen++
		if c.NumPending > 0 || c.NumAckPending > 0 {
			floor = min(floor, c.AckFloor.Stream)
		}
	}
	if err := consumers.Err(); err != nil {
		return 0, err
	}
	if seen == 0 || floor < info.State.FirstSeq {
		return 0, nil
	}
	return floor + 1, s.Purge(ctx, jetstream.WithPurgeSequence(floor+1))
}
