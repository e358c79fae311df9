package warm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/cache/warm"
)

// budget watches a tier from inside.
type budget struct {
	mu     sync.Mutex
	now    int
	most   int
	starts []start
	broken []string
}

type start struct {
	at    time.Time
	items int
}

func (b *budget) begin(items int, pressure float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now++
	b.most = max(b.most, b.now)
	b.starts = append(b.starts, start{time.Now(), items})
	if pressure >= 1 {
		b.broken = append(b.broken, fmt.Sprintf("a batch began under pressure %v", pressure))
	}
}

func (b *budget) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now--
}

// check holds the starts against the budget, in every span of time between two of them.
func (b *budget) check(rate float64, burst, slots int) string {
	if b.most > slots {
		b.broken = append(b.broken, fmt.Sprintf("%d batches at a time, %d may be", b.most, slots))
	}
	for i := range b.starts {
		items := 0
		for j := i; j < len(b.starts); j++ {
			items += b.starts[j].items
			took := b.starts[j].at.Sub(b.starts[i].at).Seconds()
			if allowed := rate*took + float64(burst); float64(items) > allowed+1e-6 {
				b.broken = append(b.broken, fmt.Sprintf("%d items within %v s, %.2f may be", items, took, allowed))
			}
		}
	}
	if len(b.broken) == 0 {
		return ""
	}
	return b.broken[0]
}

// pressures change at random moments.
type pressures struct {
	start  time.Time
	every  time.Duration
	levels []float64
}

func (p *pressures) Pressure() float64 {
	return p.levels[int(time.Since(p.start)/p.every)%len(p.levels)]
}

// Whatever tiers and pressure do: a run keeps within rate, share and room, and ends with everything there.
func TestBudgetIsNeverExceeded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		o := warm.Options{
			Rate:     rapid.Float64Range(0.5, 2000).Draw(rt, "rate"),
			Capacity: rapid.IntRange(1, 20).Draw(rt, "capacity"),
			Share:    rapid.Float64Range(0.01, 1).Draw(rt, "share"),
			Batch:    rapid.IntRange(1, 40).Draw(rt, "batch"),
			Slow:     10 * time.Millisecond, MaxPause: time.Hour, Predictor: falling(rapid.IntRange(1, 300).Draw(rt, "items")),
		}
		levels := rapid.SliceOfN(rapid.SampledFrom([]float64{0, 0.3, 0.99, 1, 3}), 0, 5).Draw(rt, "pressure")
		levels = append(levels, 0)
		every := time.Duration(rapid.IntRange(1, 3000).Draw(rt, "every")) * time.Millisecond
		slowest := rapid.IntRange(0, 200).Draw(rt, "slowest")
		fails := rapid.IntRange(0, 20).Draw(rt, "fails")
		seed := rapid.Uint64().Draw(rt, "seed")
		var wrong string
		synctest.Test(t, func(*testing.T) {
			wrong = spend(o, &pressures{time.Now(), every, levels}, slowest, fails, rand.New(rand.NewPCG(seed, 0)))
		})
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

func spend(o warm.Options, p *pressures, slowest, fails int, r *rand.Rand) string {
	o.Pressure = p
	var b budget
	var mu sync.Mutex
	s := newShelf()
	s.before = func(_ context.Context, keys []string) error {
		b.begin(len(keys), p.Pressure())
		defer b.end()
		mu.Lock()
		took, fail := time.Duration(r.IntN(slowest+1))*time.Millisecond, r.IntN(100) < fails
		mu.Unlock()
		time.Sleep(took)
		if fail {
			return errors.New("bad luck")
		}
		return nil
	}
	w, err := warm.New(o, s)
	if err != nil {
		return err.Error()
	}
	defer w.Close()
	got, err := w.Run(context.Background(), warm.Request{Rate: o.Rate, Top: 300})
	if err != nil && !errors.Is(err, warm.ErrFailing) {
		return err.Error()
	}
	if err == nil && (got.Through != got.Total || len(s.loads) != got.Total-got.Failed) {
		return fmt.Sprintf("%d loaded: %+v", len(s.loads), got)
	}
	return b.check(o.Rate, o.Batch, max(1, int(float64(o.Capacity)*o.Share)))
}

// What was there already costs a tenth of what has to be loaded.
func TestWhatIsThereIsCheap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		w := open(t, warm.Options{Predictor: falling(1000)}, s)
		run := func() float64 {
			p, err := w.Run(t.Context(), warm.Request{Rate: 100, Top: 1000})
			if err != nil {
				t.Fatal(err)
			}
			return p.Elapsed
		}
		if cold, again := run(), run(); again > cold/5 || cold < 9.8 || again < 0.5 {
			t.Errorf("%v s, again %v s", cold, again)
		}
	})
}

// Under pressure nothing is begun, the progress says so, and it goes on afterwards at a lower rate; when it lasts too long, the run
// gives up and can be taken up.
func TestPressurePauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		var level atomic.Int64
		pressure := warm.PressureFunc(func() float64 { return float64(level.Load()) })
		w := open(t, warm.Options{Predictor: falling(1000), Pressure: pressure, MaxPause: 10 * time.Second, Store: &memory{}}, s)
		if err := w.Start(warm.Request{Rate: 100, Top: 1000}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		before := w.Progress()
		level.Store(1)
		time.Sleep(time.Second)
		loads := len(s.loaded())
		time.Sleep(5 * time.Second)
		if p := w.Progress(); len(s.loaded()) != loads || p.State != warm.Paused || p.Paused < 5 || p.Rate > before.Rate/2+1 {
			t.Errorf("%d then %d loads, before %+v, in the pause %+v", loads, len(s.loaded()), before, p)
		}
		level.Store(0)
		time.Sleep(time.Second)
		if p := w.Progress(); p.State != warm.Running || len(s.loaded()) == loads {
			t.Errorf("afterwards %+v", p)
		}
		level.Store(2)
		time.Sleep(11 * time.Second)
		p := w.Progress()
		if p.State != warm.Failed || p.Error != warm.ErrPressure.Error() {
			t.Fatalf("in a long pause %+v", p)
		}
		level.Store(0)
		got, err := w.Run(t.Context(), warm.Request{Rate: 100, Top: 1000})
		if err != nil || got.Skipped == 0 || got.Skipped+got.Loaded+got.Present != 1000 || len(s.loads) != 1000 {
			t.Errorf("taken up: %+v, %v", got, err)
		}
	})
}
