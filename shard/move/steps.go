package move

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// forward goes on from the recorded state to the end.
func (r *run) forward(ctx context.Context) error {
	for {
		var err error
		switch r.move.State {
		case "announced":
			err = r.announced(ctx)
		case "capturing":
			err = r.capturing(ctx)
		case "copying":
			err = r.copying(ctx)
		case "tailing":
			err = r.tailing(ctx)
		case "cleaning":
			err = r.cleaning(ctx)
		case "aborting":
			err = r.aborting(ctx)
		default: // done, aborted
			return nil
		}
		if err != nil {
			return fmt.Errorf("move %d, %s: %w", r.move.ID, r.move.State, err)
		}
	}
}

// back aborts. Recording it first keeps a later Run from going forward again.
func (r *run) back(ctx context.Context) error {
	if r.move.State == "cleaning" {
		return ErrTooLate
	}
	if err := r.enter(ctx, "aborting"); err != nil {
		return err
	}
	return r.forward(ctx)
}

// announced waits until every live member knows of the move: from then on each keeps to its lease.
func (r *run) announced(ctx context.Context) error {
	st, err := r.store.Read(ctx)
	if err == nil {
		err = r.members(ctx, st.Epoch)
	}
	if err != nil {
		return err
	}
	r.o.Crash("announced")
	return r.enter(ctx, "capturing")
}

// capturing clears the target of what is not its own yet, and begins to note changes on the sources. Targets come first, so that
// nobody else touches copies.
func (r *run) capturing(ctx context.Context) error {
	err := each(r.targets, func(n *node) error { return n.prepare(ctx, r.move, r.tables) })
	if err == nil {
		err = each(r.sources, func(n *node) error { return n.prepare(ctx, r.move, r.tables) })
	}
	if err == nil {
		err = r.clearTargets(ctx)
	}
	if err != nil {
		return err
	}
	r.o.Crash("captured")
	return r.enter(ctx, "copying")
}

// clearTargets deletes copies.
func (r *run) clearTargets(ctx context.Context) error {
	return each(r.targets, func(n *node) error {
		for _, t := range r.tables {
			if err := n.delete(ctx, t, n.incoming(t, "t"), r.o.Window, func(int64) error { return r.throttle(ctx, n) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// copying copies all tables of all sources, sources in parallel, a table after the other.
func (r *run) copying(ctx context.Context) error {
	err := each(r.sources, func(src *node) error {
		for _, t := range r.tables {
			if err := r.copyTable(ctx, src, t); err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.o.Crash("copied")
	return r.enter(ctx, "tailing")
}

func (r *run) copyTable(ctx context.Context, src *node, t *table) error {
	mark := src.id + "/" + t.Name
	r.mu.Lock()
	at, begun := r.move.Progress.Cursors[mark]
	r.mu.Unlock()
	for begun = begun && len(at) == 0; !begun; { // an empty cursor is the end of the table
		end, err := src.windowEnd(ctx, t, at, r.o.Window)
		if err != nil {
			return err
		}
		copied, err := r.copyWindow(ctx, src, t, at, end)
		if err != nil {
			if err = r.catchUp(ctx, src, err); err != nil {
				return err
			}
			continue
		}
		at, begun = end, end == nil
		if err := r.copiedTo(ctx, mark, at, copied); err != nil {
			return err
		}
		r.o.Crash("window-copied")
		if err := r.throttle(ctx, src); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) copyWindow(ctx context.Context, src *node, t *table, at, end []string) (copied int64, err error) {
	parcels, err := src.window(ctx, t, at, end)
	if err != nil {
		return 0, err
	}
	for dest, p := range parcels {
		if err := r.nodes[dest].replace(ctx, t, p); err != nil {
			return 0, err
		}
		copied += int64(len(p.rows))
	}
	return copied, nil
}

// copiedTo records how far a table is copied.
func (r *run) copiedTo(ctx context.Context, mark string, at []string, rows int64) error {
	if at == nil {
		at = []string{}
	}
	r.count(func(p *Progress) {
		if p.Cursors == nil {
			p.Cursors = map[string][]string{}
		}
		p.Cursors[mark] = at
		p.Copied += rows
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.store.save(ctx, r.move)
}

// tailing replays, compares, and tries to cut over, until an attempt succeeds.
func (r *run) tailing(ctx context.Context) error {
	wait := 100 * time.Millisecond
	for repaired := 0; ; {
		// First of all the attempt of a mover that died in the middle of it, later on our own.
		if err := r.takeBack(ctx); err != nil || r.move.State != "tailing" {
			return err
		}
		err := each(r.sources, func(src *node) error { return r.ready(ctx, src) })
		if err != nil {
			return err
		}
		r.o.Crash("verified")
		err = r.cutover(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrVerify):
			if repaired++; repaired > 3 {
				return errors.Join(err, r.takeBack(ctx))
			}
		case ctx.Err() != nil || !errors.Is(err, errTryLater) && !errors.Is(err, errHoldLost) && !errors.Is(err, context.DeadlineExceeded):
			return errors.Join(err, r.takeBack(ctx))
		}
		r.o.Log.WarnContext(ctx, "cutover taken back", "id", r.move.ID, "error", err)
		if err := r.takeBack(ctx); err != nil {
			return err
		}
		if !pause(ctx, wait) {
			return context.Cause(ctx)
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// ready brings one source to where a cutover takes moments.
func (r *run) ready(ctx context.Context, src *node) error {
	if _, err := r.drain(ctx, src); err != nil {
		return err
	}
	r.o.Crash("replayed")
	r.mu.Lock()
	r.recent[src.id] = map[string]change{}
	r.mu.Unlock()
	if err := r.verify(ctx, src); err != nil {
		return err
	}
	for range 3 { // each round has less to do than the one before
		if _, err := r.drain(ctx, src); err != nil {
			return err
		}
		if err := r.settle(ctx, src); err != nil {
			return err
		}
	}
	return nil
}

// settle looks at what was replayed since the comparison began, and forgets what is equal now: if it changes again, it is
// captured again.
func (r *run) settle(ctx context.Context, src *node) error {
	r.mu.Lock()
	some := make([]change, 0, len(r.recent[src.id]))
	for _, c := range r.recent[src.id] {
		some = append(some, c)
	}
	r.recent[src.id] = map[string]change{}
	r.mu.Unlock()
	still, err := r.recheck(ctx, src, some)
	r.remember(src, still)
	return err
}

// remember keeps in mind that rows have to be compared once more.
func (r *run) remember(src *node, some []change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.recent[src.id]; known != nil {
		for _, c := range some {
			known[c.mark()] = c
		}
	}
}

// takeBack ends an attempt at the cutover, if there is one: no new map, no hold, no fence.
func (r *run) takeBack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	epoch, err := r.store.release(ctx, r.move.ID)
	if errors.Is(err, errHoldLost) {
		var st State
		if st, err = r.store.Read(ctx); err == nil && (st.Phase != Moving || st.MoveID != r.move.ID) {
			return r.adopt(ctx, st)
		}
		epoch = st.Epoch
	}
	if err != nil {
		return err
	}
	return each(r.all(), func(n *node) error { return n.withdraw(ctx, epoch) })
}

// adopt takes over what the topology says: a commit whose answer got lost.
func (r *run) adopt(ctx context.Context, st State) error {
	mv, err := r.store.Current(ctx)
	if err != nil {
		return err
	}
	if mv.State != "cleaning" {
		return fmt.Errorf("%w: the topology is %s", errHoldLost, st.Phase)
	}
	r.move = mv
	return nil
}
