package move_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/shard"
	"github.com/stampede-shop/stampede/shard/move"
)

// A shard is added while two processes write and read each other's writes: none fails, and every row ends up where it belongs.
func TestAddUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, "shard3")
	a, _ := w.process(t, "a")
	b, fb := w.process(t, "b")
	w.seed(t, a)
	stop := w.load(t, a, b)
	next := w.top.With(move.Shard{ID: "shard3", DSN: w.dsns["shard3"]})
	m := move.New(w.options(t))
	_, err := m.Begin(t.Context(), next)
	check(t, err)
	if _, err := m.Begin(t.Context(), next); !errors.Is(err, move.ErrBusy) {
		t.Errorf("a second move: %v", err)
	}
	done, err := m.Run(t.Context())
	n, longest := stop()
	check(t, err)
	w.audit(t, next)
	p := done.Progress
	t.Logf("%d writes, the longest took %v; %+v", n, longest, p)
	if done.State != "done" || p.Copied == 0 || p.Replayed == 0 || p.Compared == 0 || p.Deleted == 0 || p.HeldMS >= 1000 {
		t.Errorf("%s: %+v", done.State, p)
	}
	if st, ok := fb.State(); !ok || st.Version != 2 || ids(st.Map) != "shard1 shard2 shard3" {
		t.Errorf("the other process is at %+v", st)
	}
	if _, err := m.Run(t.Context()); !errors.Is(err, move.ErrNoMove) {
		t.Errorf("nothing to do: %v", err)
	}
}

// Whoever drives the move dies at any point, and the shop goes on; the next one brings it to its end.
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, "shard3")
	a, _ := w.process(t, "a")
	b, _ := w.process(t, "b")
	w.seed(t, a)
	stop := w.load(t, a, b)
	o := w.options(t)
	run := func(m *move.Mover) error { _, err := m.Run(t.Context()); return err }
	var next move.Topology
	localtest.Rounds(t, 1, func(round int) { // it comes in, and then its share changes
		next = w.top.With(move.Shard{ID: "shard3", DSN: w.dsns["shard3"], Weight: 1 + round%3})
		_, err := move.New(o).Begin(t.Context(), next)
		check(t, err)
		for _, point := range move.CrashPoints {
			reached, err := dying(o, point, run)
			if !reached {
				t.Fatalf("%s was not reached: %v", point, err)
			}
		}
		check(t, run(move.New(o)))
	})
	n, longest := stop()
	t.Logf("%d writes, the longest took %v", n, longest)
	w.audit(t, next)
}

// Aborting is possible at any point before the new map is in force, and only there; everything is then as it was.
func TestAbort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, "shard3")
	a, _ := w.process(t, "a")
	w.seed(t, a)
	stop := w.load(t, a)
	o := w.options(t)
	next := w.top.With(move.Shard{ID: "shard3", DSN: w.dsns["shard3"]})
	for _, point := range []string{"announced", "captured", "window-copied", "verified", "fenced", "opened", "committed"} {
		_, err := move.New(o).Begin(t.Context(), next)
		check(t, err)
		if reached, err := dying(o, point, func(m *move.Mover) error { _, err := m.Run(t.Context()); return err }); !reached {
			t.Fatalf("%s was not reached: %v", point, err)
		}
		if point == "committed" {
			if _, err := move.New(o).Abort(t.Context()); !errors.Is(err, move.ErrTooLate) {
				t.Errorf("abort after the commit: %v", err)
			}
			_, err = move.New(o).Run(t.Context())
			check(t, err)
			break
		}
		mv, err := move.New(o).Abort(t.Context())
		if err != nil || mv.State != "aborted" {
			t.Fatalf("abort after %s: %s, %v", point, mv.State, err)
		}
	}
	stop()
	w.audit(t, next)
}

// A weight that changes moves keys between shards that are both in use; pins move single keys and spans; and back again.
func TestMovesBetweenShardsInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	a, _ := w.process(t, "a")
	b, _ := w.process(t, "b")
	w.seed(t, a)
	stop := w.load(t, a, b)
	heavy := w.top.With(move.Shard{ID: "shard2", DSN: w.dsns["shard2"], Weight: 3})
	pinned := heavy.Pin(key(1), "shard1").Pin(key(2), "shard3").Pin("7", "shard2").PinSpan(shard.Span{From: "key-20", To: "key-29", Shard: "shard3"})
	for _, next := range []move.Topology{heavy, pinned, w.top.Pin(key(1), "shard2")} {
		m := move.New(w.options(t))
		_, err := m.Begin(t.Context(), next)
		check(t, err)
		done, err := m.Run(t.Context())
		check(t, err)
		t.Logf("%+v", done.Progress)
	}
	stop()
	w.audit(t, w.top.Pin(key(1), "shard2"))
	if at, err := b.Locate(key(1)); err != nil || at != "shard2" {
		t.Errorf("the pinned key is at %s, %v", at, err)
	}
}

// A process that knows nothing of a move cannot write where a key was, neither in the cutover nor after it.
func TestAnOldMapCannotWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "shard2")
	a, _ := w.process(t, "a")
	w.seed(t, a)
	old := connect(t, w.dsns["shard1"])
	next := w.top.With(move.Shard{ID: "shard2", DSN: w.dsns["shard2"]})
	m, err := next.Map()
	check(t, err)
	o := w.options(t)
	_, err = move.New(o).Begin(t.Context(), next)
	check(t, err)
	if reached, err := dying(o, "committed", func(m *move.Mover) error { _, err := m.Run(t.Context()); return err }); !reached {
		t.Fatal(err)
	}
	for i := range keys {
		at, err := m.Locate(key(i))
		check(t, err)
		_, err = old.Exec(t.Context(), `UPDATE counters SET n = n + 100 WHERE k = $1`, key(i))
		if shard.Moved(err) != (at == "shard2") {
			t.Fatalf("%s of %s: %v", key(i), at, err)
		}
		if at == "shard1" {
			w.truth[key(i)] += 100
		}
	}
	_, err = move.New(o).Run(t.Context())
	check(t, err)
	w.audit(t, next)
}

// Copies that somebody damaged are found and copied again, not put in force.
func TestDamagedCopiesAreRepaired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "shard2")
	a, _ := w.process(t, "a")
	w.seed(t, a)
	o := w.options(t)
	next := w.top.With(move.Shard{ID: "shard2", DSN: w.dsns["shard2"]})
	_, err := move.New(o).Begin(t.Context(), next)
	check(t, err)
	if reached, err := dying(o, "copied", func(m *move.Mover) error { _, err := m.Run(t.Context()); return err }); !reached {
		t.Fatal(err)
	}
	target := connect(t, w.dsns["shard2"])
	for _, sql := range []string{`UPDATE counters SET n = -1 WHERE k = (SELECT min(k) FROM counters)`, `DELETE FROM notes WHERE k = (SELECT max(k) FROM notes)`,
		`UPDATE lines SET what = 'other' WHERE pos = 2 AND bill = (SELECT min(bill) FROM lines)`} {
		tag, err := target.Exec(t.Context(), `SET shard_move.role = 'mover'; `+sql)
		if err != nil || tag.RowsAffected() == 0 {
			t.Fatalf("%v, %v", tag, err)
		}
	}
	done, err := move.New(o).Run(t.Context())
	check(t, err)
	if done.Progress.Repaired != 3 {
		t.Errorf("%+v", done.Progress)
	}
	w.audit(t, next)
}

// A member that does not acknowledge keeps the move from cutting over while it lives, and not when it is dead.
func TestTheDeadAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "shard2")
	a, _ := w.process(t, "a")
	w.seed(t, a)
	db := connect(t, w.coordinator)
	_, err := db.Exec(t.Context(), `INSERT INTO shard_members VALUES ('mute', 0, clock_timestamp() + interval '1 hour')`)
	check(t, err)
	next := w.top.With(move.Shard{ID: "shard2", DSN: w.dsns["shard2"]})
	m := move.New(w.options(t))
	_, err = m.Begin(t.Context(), next)
	check(t, err)
	brief, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if mv, err := m.Run(brief); !errors.Is(err, context.DeadlineExceeded) || mv.State != "announced" {
		t.Errorf("%s, %v", mv.State, err)
	}
	_, err = db.Exec(t.Context(), `UPDATE shard_members SET seen_at = clock_timestamp() - interval '4 seconds' WHERE id = 'mute'`)
	check(t, err)
	_, err = m.Run(t.Context())
	check(t, err)
	w.audit(t, next)
}

// A mover that dies in the middle of the cutover, and does not come back, blocks nobody: the members end its hold and lower its fence.
func TestADeadMoverBlocksNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "shard2")
	a, _ := w.process(t, "a")
	b, fb := w.process(t, "b")
	w.seed(t, a)
	next := w.top.With(move.Shard{ID: "shard2", DSN: w.dsns["shard2"]})
	m, err := next.Map()
	check(t, err)
	moving := 0
	for i := range keys {
		if at, _ := m.Locate(key(i)); at == "shard2" {
			moving = i
		}
	}
	o := w.options(t)
	_, err = move.New(o).Begin(t.Context(), next)
	check(t, err)
	for _, point := range []string{"held", "fenced", "drained", "opened"} {
		if reached, err := dying(o, point, func(m *move.Mover) error { _, err := m.Run(t.Context()); return err }); !reached {
			t.Fatal(err)
		}
		began := time.Now()
		limit, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		check(t, w.write(limit, a, b, moving, rand.New(rand.NewPCG(1, 1))))
		cancel()
		t.Logf("after %s a write took %v", point, time.Since(began))
		if st, _ := fb.State(); st.Phase != move.Moving {
			t.Errorf("after %s the topology is %s", point, st.Phase)
		}
	}
	_, err = move.New(o).Run(t.Context())
	check(t, err)
	w.audit(t, next)
}
