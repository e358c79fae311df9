package batch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/batch"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// deed is a request of the property test: what shall become of it is written on it.
type deed struct {
	id     int
	name   string // for Apart
	key    string
	after  time.Duration // of the one before it
	limit  time.Duration // of its context
	poison bool
	lost   bool // loses the answer of its batch after it took effect
}

// ledger is the Run of the property test; it notes what it broke.
type ledger struct {
	mu       sync.Mutex
	done     map[int]int // how often a deed took effect
	seen     map[int]int // how often a deed was handed over
	under    map[string]int
	since    map[context.Context]time.Time // when each batch began; its halves and repetitions have its context
	running  map[context.Context]bool
	names    map[string]bool
	last     map[string]int // the latest id that was started of each key and name
	tries    int
	maxSize  int
	parallel int
	slots    int
	broken   []string
}

func (l *ledger) breach(format string, args ...any) {
	l.broken = append(l.broken, fmt.Sprintf(format, args...))
}

func (l *ledger) run(ctx context.Context, key string, items []deed) ([]batch.Result[int], error) {
	l.begin(ctx, key, items)
	defer l.ended(ctx)
	time.Sleep(3 * time.Millisecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.under[key]--
	lost := false
	for _, d := range items {
		delete(l.names, d.key+d.name)
	}
	for _, d := range items {
		if d.poison {
			return nil, errPoison
		}
		lost = lost || d.lost
	}
	if l.tries++; l.tries%5 == 0 {
		return nil, errConflict
	}
	out := make([]batch.Result[int], len(items))
	for i, d := range items {
		l.done[d.id]++
		out[i].Value = d.id
	}
	if lost {
		return nil, io.EOF
	}
	return out, nil
}

// slotTime is after which a batch may have given up its slot.
const slotTime = 25 * time.Millisecond

func (l *ledger) begin(ctx context.Context, key string, items []deed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, again := l.since[ctx]; !again {
		l.since[ctx] = time.Now()
	}
	l.running[ctx] = true
	if l.under[key]++; l.under[key] > l.parallel {
		l.breach("%d batches of %s under way", l.under[key], key)
	}
	all := 0
	for c := range l.running {
		if time.Since(l.since[c]) < slotTime {
			all++
		}
	}
	if l.slots > 0 && all > l.slots {
		l.breach("%d batches under way", all)
	}
	if len(items) == 0 || len(items) > l.maxSize {
		l.breach("a batch of %d", len(items))
	}
	for _, d := range items {
		if d.key != key {
			l.breach("%+v in a batch of %s", d, key)
		}
		group := d.key + "/any"
		if d.name != "" {
			if l.names[d.key+d.name] {
				l.breach("%+v together with another of its name", d)
			}
			l.names[d.key+d.name] = true
			group = d.key + d.name
		}
		if l.seen[d.id]++; l.seen[d.id] == 1 {
			if d.id < l.last[group] && (d.name != "" || l.parallel == 1) { // else two workers race for the first line of Run
				l.breach("%d started after %d", d.id, l.last[group])
			}
			l.last[group] = d.id
		}
	}
}

func (l *ledger) ended(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, ctx)
}

func drawDeeds(rt *rapid.T) []deed {
	return rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) deed {
		return deed{key: rapid.SampledFrom([]string{"k", "l"}).Draw(rt, "key"),
			name:   rapid.SampledFrom([]string{"", "", "", "x", "y"}).Draw(rt, "name"),
			after:  time.Duration(rapid.SampledFrom([]int{0, 0, 0, 100, 1000, 20000}).Draw(rt, "after")) * time.Microsecond,
			limit:  rapid.SampledFrom([]time.Duration{time.Hour, time.Hour, 2 * time.Millisecond, 10 * time.Millisecond}).Draw(rt, "limit"),
			poison: rapid.IntRange(0, 9).Draw(rt, "poison") == 0, lost: rapid.IntRange(0, 29).Draw(rt, "lost") == 0}
	}), 1, 60).Draw(rt, "deeds")
}

// Whatever is submitted, when and with which fate: one outcome each, and every rule of the package holds.
func TestEveryDeedHasOneOutcome(t *testing.T) {
	t.Parallel()
	localtest.Rounds(t, 1, func(int) { everyDeed(t) })
}

func everyDeed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		deeds := drawDeeds(rt)
		l := &ledger{done: map[int]int{}, seen: map[int]int{}, under: map[string]int{}, since: map[context.Context]time.Time{}, running: map[context.Context]bool{}, names: map[string]bool{},
			last: map[string]int{}, maxSize: rapid.IntRange(1, 12).Draw(rt, "size"), parallel: rapid.IntRange(1, 3).Draw(rt, "parallel"),
			slots: rapid.IntRange(0, 3).Draw(rt, "slots")}
		o := batch.Options[deed, int]{Run: l.run, Apart: func(d deed) string { return d.name }, MaxSize: l.maxSize, Parallel: l.parallel,
			MaxQueue: rapid.SampledFrom([]int{3, 100, -1}).Draw(rt, "queue"), Slots: l.slots,
			MaxLinger: rapid.SampledFrom([]time.Duration{0, time.Millisecond}).Draw(rt, "linger"), MaxRetries: 50,
			IdleAfter: 5 * time.Millisecond, Retryable: func(err error) bool { return errors.Is(err, errConflict) }}
		if rapid.Bool().Draw(rt, "groups") {
			o.Group = func(key string) string { return key }
		}
		orphans := map[int]int{}
		o.OnOrphan = func(_ string, d deed, out batch.Result[int]) {
			l.mu.Lock()
			defer l.mu.Unlock()
			orphans[d.id]++
		}
		errs := make([]error, len(deeds))
		synctest.Test(t, func(t *testing.T) {
			b := batch.New(o)
			var wg sync.WaitGroup
			for i, d := range deeds {
				d.id = i + 1
				time.Sleep(d.after)
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), d.limit)
					defer cancel()
					var got int
					if got, errs[i] = b.Submit(ctx, d.key, d); errs[i] == nil && got != d.id {
						l.breach("%d got the answer of %d", d.id, got)
					}
				})
				synctest.Wait()
			}
			wg.Wait()
			if err := b.Close(t.Context()); err != nil {
				l.breach("%v", err)
			}
			if s := b.Stats(); s.Queued+s.Running+s.Keys != 0 || s.Submitted != s.Finished+s.Withdrawn {
				l.breach("%+v", s)
			}
		})
		for i, d := range deeds {
			l.judge(i+1, d, errs[i], orphans[i+1], o.MaxQueue == 3)
		}
		if len(l.broken) > 0 {
			rt.Fatalf("%q", l.broken)
		}
	})
}

// judge compares what a caller was told with what took effect.
func (l *ledger) judge(id int, d deed, err error, orphan int, small bool) {
	done, seen := l.done[id], l.seen[id]
	ok := false
	switch {
	case err == nil:
		ok = done == 1 && orphan == 0
	case errors.Is(err, batch.ErrUnknown):
		ok = done <= 1 && seen > 0
	case errors.Is(err, errPoison):
		ok = done == 0 && d.poison
	case errors.Is(err, context.DeadlineExceeded):
		ok = d.limit < time.Hour && done <= 1 && (orphan == 1) == (seen > 0)
	case errors.Is(err, batch.ErrFull):
		ok = small && seen == 0
	}
	if !ok {
		l.breach("%+v: %v, though done %d times, seen %d times, orphan %d", d, err, done, seen, orphan)
	}
}
