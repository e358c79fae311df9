package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/stampede-shop/stampede/loadsim"
)

// member is what the coordinator knows of an agent.
type member struct {
	heard    time.Time
	snapshot loadsim.Snapshot
	pieces   [][]byte
	missing  int
	rec      *loadsim.Recording
	lost     bool
}

// collection gathers recordings.
type collection struct {
	*coordinator
	members map[string]*member
	order   []string
	broken  error // why a recording could not be read
}

// collect listens until every agent has handed in its recording, or is lost.
func (c *coordinator) collect(ctx context.Context, agents []string, results, reports *nats.Subscription) (*loadsim.Recording, error) {
	g := &collection{coordinator: c, members: map[string]*member{}, order: agents}
	for _, id := range agents {
		g.members[id] = &member{heard: time.Now()}
	}
	ended := ctx.Done()
	told := time.Now()
	for g.waiting() {
		select {
		case <-ended:
			ended = nil // told once; what they did until now is still to come
			publish(c.nc, c.run.of("stop"), struct{}{})
		default:
		}
		if err := g.listen(results, reports); err != nil {
			return nil, err
		}
		if c.o.Load.Progress != nil && time.Since(told) >= beat {
			told = time.Now()
			if s := g.snapshot(); s.Target != "" {
				c.o.Load.Progress(s)
			}
		}
	}
	rec, err := g.merge()
	if rec != nil && ctx.Err() != nil {
		rec.Interrupted = true
		err = errors.Join(fmt.Errorf("fleet: the run was broken off: %w", context.Cause(ctx)), err)
	}
	return rec, err
}

// waiting says whether anybody's recording is still to come, and gives up those who have not been heard of.
func (g *collection) waiting() (yes bool) {
	for _, m := range g.members {
		if m.rec == nil && !m.lost && time.Since(m.heard) > silence {
			m.lost = true
		}
		yes = yes || m.rec == nil && !m.lost
	}
	return yes
}

// listen takes what has come, for a moment at most.
func (g *collection) listen(results, reports *nats.Subscription) error {
	for {
		msg, err := reports.NextMsg(time.Millisecond)
		if errors.Is(err, nats.ErrTimeout) {
			break
		}
		if err != nil {
			return fmt.Errorf("fleet: listen: %w", err)
		}
		var p progress
		if json.Unmarshal(msg.Data, &p) == nil && g.members[p.ID] != nil {
			g.members[p.ID].heard, g.members[p.ID].snapshot = time.Now(), p.Snapshot
		}
	}
	msg, err := results.NextMsg(50 * time.Millisecond)
	if errors.Is(err, nats.ErrTimeout) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("fleet: listen: %w", err)
	}
	var p piece
	if json.Unmarshal(msg.Data, &p) == nil && g.members[p.ID] != nil {
		g.take(g.members[p.ID], p)
		answer(msg, struct{}{})
	}
	return nil
}

// take puts a piece where it belongs. One that comes twice, because its acknowledgement was lost, counts once.
func (g *collection) take(m *member, p piece) {
	m.heard = time.Now()
	if m.pieces == nil && p.Of > 0 && p.Of < 1<<16 {
		m.pieces, m.missing = make([][]byte, p.Of), p.Of
	}
	if p.N < 0 || p.N >= len(m.pieces) || m.pieces[p.N] != nil {
		return
	}
	m.pieces[p.N] = p.Data
	if m.missing--; m.missing > 0 {
		return
	}
	var whole []byte
	for _, part := range m.pieces {
		whole = append(whole, part...)
	}
	var err error
	if m.rec, err = unpack(whole); err != nil {
		m.lost = true
		g.broken = errors.Join(g.broken, fmt.Errorf("%w: the recording of %s: %w", ErrAgent, p.ID, err))
	}
}

// snapshot is how all of them together stand.
func (g *collection) snapshot() (sum loadsim.Snapshot) {
	for _, id := range g.order {
		if s := g.members[id].snapshot; s.Target != "" {
			sum = sum.Merge(s)
		}
	}
	return sum
}

// merge adds the recordings up, and notes who is missing.
func (g *collection) merge() (sum *loadsim.Recording, err error) {
	var lost []string
	for _, id := range g.order {
		rec := g.members[id].rec
		switch {
		case rec == nil:
			lost = append(lost, id)
		case sum == nil:
			sum = rec
		default:
			err = errors.Join(err, sum.Merge(rec))
		}
	}
	if sum == nil {
		return nil, errors.Join(fmt.Errorf("%w: all of them were lost", ErrAgent), g.broken)
	}
	sum.Lost = append(sum.Lost, lost...)
	return sum, err
}
