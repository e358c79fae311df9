package batch_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-shop/stampede/batch"
)

// begun is a batch of the group "close": how many are in it, and when it began, counted from the end of "hold".
type begun struct {
	items int
	at    time.Duration
}

// crossing lets sixteen callers pass from the two keys of the group "open", which take 1 and 2 ms, to the one key of "close". Those of
// the slower key need the time late for the way, or do not come at all when it is negative. It tells which batches "close" had. A batch
// of "hold" is under way until all sixteen are queued, so that what begins when does not hang on who runs first.
type crossing struct {
	b     *batch.Batcher[int, int]
	gate  chan struct{}
	start time.Time
	mu    sync.Mutex
	had   []begun
}

func newCrossing() *crossing {
	c := &crossing{gate: make(chan struct{})}
	c.b = batch.New(batch.Options[int, int]{Slots: 2, Group: groupOf, Run: c.run})
	return c
}

func (c *crossing) run(_ context.Context, key string, items []int) ([]batch.Result[int], error) {
	switch key {
	case "hold/0":
		<-c.gate
	case "open/slow":
		time.Sleep(2 * time.Millisecond)
	default:
		if strings.HasPrefix(key, "close") {
			c.mu.Lock()
			c.had = append(c.had, begun{len(items), time.Since(c.start)})
			c.mu.Unlock()
		}
		time.Sleep(time.Millisecond)
	}
	return make([]batch.Result[int], len(items)), nil
}

func (c *crossing) once(t *testing.T, late time.Duration) []begun {
	var all sync.WaitGroup
	submit := func(key string) {
		if _, err := c.b.Submit(t.Context(), key, 0); err != nil {
			t.Error(err)
		}
	}
	c.had = nil
	for _, callers := range []int{1, 8} { // the second batch is of eight: a crowd for two slots
		for range callers {
			all.Go(func() { submit("hold/0") })
		}
		synctest.Wait()
	}
	c.gate <- struct{}{}
	synctest.Wait() // the eight are under way
	for range 8 {
		all.Go(func() { submit("open/quick"); submit("close/0") })
		all.Go(func() {
			submit("open/slow")
			if late >= 0 {
				time.Sleep(late)
				submit("close/0")
			}
		})
	}
	synctest.Wait()
	c.start = time.Now()
	c.gate <- struct{}{}
	all.Wait()
	return c.had
}

// A visit to a group begins with those who are on their way to it, if they come within a millisecond, and without them if they do not.
func TestVisitWaitsForCallersOnTheirWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing()
		const ms = time.Millisecond
		for i, round := range []struct {
			late time.Duration
			want []begun
		}{
			{ms / 2, []begun{{8, 2 * ms}, {8, 3 * ms}}}, // nothing is known of the group yet
			{ms / 2, []begun{{16, 2*ms + ms/2}}},
			{-1, []begun{{8, 3 * ms}}},
		} {
			if had := c.once(t, round.late); !slices.Equal(had, round.want) {
				t.Errorf("round %d: batches %v, want %v", i+1, had, round.want)
			}
		}
		if err := c.b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
