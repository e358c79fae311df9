package analytics

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// clockSlack is how much ahead of its arrival an event may be at most, and so how much older than its copy the stored one can be.
const clockSlack = 15 * time.Minute

// touched is how many ids are looked for at once.
const touched = 64

// unique drops from b what came before. Ids of the window are compared in memory; what happened before it is looked up in the store,
// for as long as that takes: the ids count as seen from here on, so b must not be given up while the process lives.
func (g *Ingester) unique(ctx context.Context, b *Batch) error {
	now := g.o.Now()
	g.seen.advance(now)
	g.seen.trim()
	before := now.Add(time.Minute - g.o.Window).UnixMicro() // a minute: clocks may be so much ahead
	keep := make([]bool, b.Len())
	var late []ID
	dropped := 0
	var from, to int64
	for i, id := range b.IDs {
		if i%touched == 0 {
			g.touched += g.seen.touch(b.IDs[i:min(i+touched, b.Len())])
		}
		keep[i] = g.seen.add(id)
		if !keep[i] {
			dropped++
		} else if t := b.Times[i]; t < before {
			if late == nil {
				from, to = t, t
			}
			late, from, to = append(late, id), min(from, t), max(to, t)
		}
	}
	if late != nil {
		g.m.late.Add(float64(len(late)))
		again, err := g.lookUp(ctx, late, time.UnixMicro(from).Add(-clockSlack), time.UnixMicro(to))
		if err != nil {
			return err
		}
		for i, id := range b.IDs {
			if keep[i] && again[id] {
				keep[i] = false
				dropped++
			}
		}
	}
	if dropped > 0 {
		g.m.duplicates.Add(float64(dropped))
		b.Keep(keep)
	}
	if g.o.Enrich != nil {
		g.o.Enrich(b)
	}
	if g.o.Live != nil {
		g.o.Live.Observe(now, b) // the stream has them on file, and this process stores them or none after it does
	}
	if n := g.sampler.apply(b); n > 0 {
		g.m.sampled.Add(float64(n))
	}
	return nil
}

// lookUp asks the store until it answers, or ctx ends.
func (g *Ingester) lookUp(ctx context.Context, ids []ID, from, to time.Time) (map[ID]bool, error) {
	for {
		found, err := g.store.Stored(ctx, ids, from, to)
		if err == nil {
			again := make(map[ID]bool, len(found))
			for _, id := range found {
				again[id] = true
			}
			return again, nil
		}
		g.o.Log.Error("the store does not tell which late events it has; trying again", "error", err)
		if wait(ctx, time.Second); ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// stopLimit is how long a commit is tried after the ingester was told to stop.
const stopLimit = 10 * time.Second

// errGivenUp says that a group was left to the stream, as the process is to end.
var errGivenUp = errors.New("analytics: not stored before the end")

// commitAll stores groups until there are no more. After one that could not be stored there is none that may be: its place would be behind
// theirs, and nobody would read it again.
func (g *Ingester) commitAll(ctx context.Context, groups <-chan *group, giveUp func()) error {
	var err error
	for it := range groups {
		if err != nil {
			continue // whoever hands on is not to wait; the stream has them
		}
		if err = g.commit(ctx, it); err != nil {
			giveUp()
		}
	}
	if errors.Is(err, errGivenUp) {
		return nil
	}
	return err
}

// commit stores a group, trying until it succeeds or the process is to end, or the store will never take it.
func (g *Ingester) commit(ctx context.Context, it *group) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(stopLimit, cancel) })
	defer stop()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := g.store.Append(work, it.batches, it.at)
		if err == nil {
			break
		}
		if errors.Is(err, ErrDisplaced) {
			return err
		}
		g.m.again.Inc()
		g.o.Log.Error("events could not be stored; trying again", "events", it.events, "error", err)
		if wait(work, pause); work.Err() != nil || ctx.Err() != nil {
			return errGivenUp // the stream has them
		}
	}
	g.m.commits.Inc()
	g.m.stored.Add(float64(it.events))
	g.committed.Store(&it.at)
	for _, b := range it.batches {
		select {
		case g.spare <- b:
		default:
		}
	}
	return nil
}

var errAnew = errors.New("the stream was made anew")

// sameLife is an error when the stream is not the one that is being read: the consumer would go on in the new one where it was in
// the old one.
func (g *Ingester) sameLife(ctx context.Context, stream jetstream.Stream) error {
	call, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	life, err := incarnation(call, stream)
	switch {
	case err == nil && life != g.life, errors.Is(err, jetstream.ErrStreamNotFound):
		return errAnew
	}
	return nil // a server that is away is waited for by the consumer
}

// trimLoop drops from the stream what is stored, and looks whether it is still the same.
func (g *Ingester) trimLoop(ctx context.Context, stream jetstream.Stream) error {
	tick := time.NewTicker(g.o.Trim)
	defer tick.Stop()
	var last Place
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := g.sameLife(ctx, stream); err != nil {
			return err
		}
		at := g.committed.Load()
		if at == nil || *at == last || at.Stream != g.life {
			continue
		}
		call, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := stream.Purge(call, jetstream.WithPurgeSequence(at.Sequence+1))
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			g.o.Log.Warn("stored events could not be dropped from the stream", "error", err)
			continue
		}
		last = *at
	}
}
