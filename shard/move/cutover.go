package move

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// cutover puts the new map in force within the time of one hold, or returns an error: whatever it had changed by then is taken back by
// the caller. From the hold to the commit, work on moving keys waits.
func (r *run) cutover(ctx context.Context) error {
	r.count(func(p *Progress) { p.Attempts++ })
	began := time.Now()
	epoch, err := r.store.hold(ctx, r.move.ID, r.o.HoldFor)
	if err != nil {
		return err
	}
	defer func() { r.m.cutover(time.Since(began), r.move.State == "cleaning") }()
	// Whatever comes late is better not done at all: it would only lengthen the hold.
	hctx, cancel := context.WithDeadlineCause(ctx, began.Add(r.o.HoldFor), errTryLater)
	defer cancel()
	if err := r.takeOver(hctx, epoch); err != nil {
		if hctx.Err() != nil && ctx.Err() == nil {
			return fmt.Errorf("%w: %w", errTryLater, err)
		}
		return err
	}
	r.o.Crash("opened")
	r.count(func(p *Progress) { p.HeldMS = time.Since(began).Milliseconds() })
	// Not under the deadline: a commit that was sent is waited for. The hold's own end is checked where it is kept.
	if _, err := r.store.commit(ctx, r.move, epoch); err != nil {
		return err
	}
	r.move.State = "cleaning"
	r.o.Crash("committed")
	return nil
}

// takeOver does everything that has to be true before the commit.
func (r *run) takeOver(ctx context.Context, epoch int64) error {
	if err := r.members(ctx, epoch); err != nil {
		return err
	}
	r.o.Crash("held")
	if err := each(r.sources, func(n *node) error { return n.fence(ctx, epoch) }); err != nil {
		return err
	}
	r.o.Crash("fenced")
	err := each(r.sources, func(src *node) error {
		if _, err := r.drainAll(ctx, src); err != nil {
			return err
		}
		if err := r.settle(ctx, src); err != nil {
			return err
		}
		return r.certain(ctx, src)
	})
	if err != nil {
		return err
	}
	r.o.Crash("drained")
	if err := r.raiseSequences(ctx); err != nil {
		return err
	}
	return each(r.targets, func(n *node) error { return n.set(ctx, "incoming", "open") })
}

// certain makes sure that nothing is left to doubt, now that nothing changes.
func (r *run) certain(ctx context.Context, src *node) error {
	r.mu.Lock()
	var doubts []change
	for _, c := range r.recent[src.id] {
		doubts = append(doubts, c)
	}
	r.mu.Unlock()
	if len(doubts) == 0 {
		return nil
	}
	r.count(func(p *Progress) { p.Repaired += int64(len(doubts)) })
	return errors.Join(fmt.Errorf("%w: %d rows, such as %s %s", ErrVerify, len(doubts), doubts[0].Tbl, doubts[0].PK), r.apply(ctx, src, doubts))
}

// raiseSequences lets the targets go on numbering after everything that sources have numbered.
func (r *run) raiseSequences(ctx context.Context) error {
	for _, t := range r.tables {
		for _, c := range t.columns {
			if c.sequence == "" {
				continue
			}
			var last int64
			for _, src := range r.sources {
				var v int64
				if err := src.db.QueryRow(ctx, "SELECT last_value FROM "+c.sequence).Scan(&v); err != nil {
					return err
				}
				last = max(last, v)
			}
			err := each(r.targets, func(n *node) error {
				_, err := n.db.Exec(ctx, fmt.Sprintf("SELECT setval(%s, $1) FROM %s s WHERE s.last_value < $1", quote(c.sequence), c.sequence), last)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// cleaning deletes what has moved from where it was, once nobody looks there any more.
func (r *run) cleaning(ctx context.Context) error {
	st, err := r.store.Read(ctx)
	if err == nil {
		err = r.members(ctx, st.Epoch)
	}
	if err != nil {
		return err
	}
	r.report()
	if !pause(ctx, r.o.Grace) {
		return context.Cause(ctx)
	}
	r.o.Crash("acknowledged")
	if err := each(r.sources, func(n *node) error { return r.deleteMoved(ctx, n) }); err != nil {
		return err
	}
	r.o.Crash("deleted")
	if err := each(r.all(), func(n *node) error { return n.remove(ctx, r.tables) }); err != nil {
		return err
	}
	r.o.Crash("removed")
	return r.end(ctx, "done")
}

// deleteMoved deletes in the background of what goes on. The triggers are gone when a mover died between removing and recording it.
func (r *run) deleteMoved(ctx context.Context, n *node) error {
	var there bool
	if err := n.db.QueryRow(ctx, `SELECT to_regclass('shard_move.control') IS NOT NULL`).Scan(&there); err != nil || !there {
		return err
	}
	if err := n.set(ctx, "outgoing", "gone"); err != nil {
		return err
	}
	for _, t := range r.tables {
		err := n.delete(ctx, t, n.outgoing(t, "t"), r.o.Window, func(rows int64) error {
			r.count(func(p *Progress) { p.Deleted += rows })
			r.o.Crash("window-deleted")
			return r.throttle(ctx, n)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	return nil
}

// aborting undoes everything before the commit.
func (r *run) aborting(ctx context.Context) error {
	epoch, err := r.store.release(ctx, r.move.ID)
	if errors.Is(err, errHoldLost) {
		var st State
		st, err = r.store.Read(ctx)
		epoch = st.Epoch
	}
	if err != nil {
		return err
	}
	err = each(r.all(), func(n *node) error { return r.undo(ctx, n, epoch) })
	if err == nil {
		err = each(r.all(), func(n *node) error { return n.remove(ctx, r.tables) })
	}
	if err != nil {
		return err
	}
	return r.end(ctx, "aborted")
}

func (r *run) undo(ctx context.Context, n *node, epoch int64) error {
	var there bool
	if err := n.db.QueryRow(ctx, `SELECT to_regprocedure('shard_move.after(text)') IS NOT NULL`).Scan(&there); err != nil || !there {
		return err
	}
	if err := n.withdraw(ctx, epoch); err != nil {
		return err
	}
	for _, t := range r.tables {
		if err := n.delete(ctx, t, n.incoming(t, "t"), r.o.Window, func(int64) error { return r.throttle(ctx, n) }); err != nil {
			return err
		}
	}
	return nil
}

// end records the last state, together with the topology.
func (r *run) end(ctx context.Context, state string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.move.State = state
	r.report()
	return r.store.finish(ctx, r.move)
}

const busySQL = `
SELECT (SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0)::bigint FROM pg_stat_replication),
    (SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type = 'client backend')`

// throttle rests after a step: as long as the share of time says, and then until the servers are not in trouble.
func (r *run) throttle(ctx context.Context, n *node) error {
	r.mu.Lock()
	since, begun := r.paced[n.id]
	if !begun {
		since = time.Now()
		r.paced[n.id] = since
	}
	r.mu.Unlock()
	worked := time.Since(since)
	if worked < 20*time.Millisecond {
		return nil
	}
	rest := min(time.Duration(float64(worked)*(1/r.o.Limits.Share-1)), time.Second)
	began := time.Now()
	defer func() { r.m.throttled.Add(time.Since(began).Seconds()) }()
	for ok := false; !ok; {
		if rest > 0 && !pause(ctx, rest) {
			return context.Cause(ctx)
		}
		if err := each(r.all(), func(n *node) error { return r.bearable(ctx, n) }); err == nil {
			ok = true
		} else if !errors.Is(err, errTryLater) {
			return err
		}
		rest = 200 * time.Millisecond
	}
	r.mu.Lock()
	r.paced[n.id] = time.Now()
	r.mu.Unlock()
	return nil
}

// bearable tells, by errTryLater, that a server has enough to do.
func (r *run) bearable(ctx context.Context, n *node) error {
	var lag int64
	var active int
	err := n.db.QueryRow(ctx, busySQL).Scan(&lag, &active)
	switch {
	case errors.Is(err, pgx.ErrNoRows), err != nil:
		return err
	case lag > r.o.Limits.ReplicaLag, active > r.o.Limits.Active:
		return errTryLater
	}
	return nil
}
