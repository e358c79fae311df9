package warm_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
)

// What is worth most comes first, named keys before all; what is gone is forgotten; tiers come one after the other.
func TestRunInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory, edge := newShelf(), newShelf()
		memory.gone["k002"] = true
		second := warm.NewTier("edge", func(ctx context.Context, keys []string) (warm.Outcome, error) {
			for _, k := range keys {
				if has := memory.has(); !slices.Contains(has, k) && k != "k002" && k != "extra" {
					t.Errorf("%s comes to the edge first", k)
				}
			}
			return edge.Warm(ctx, keys)
		})
		values := warm.ValuerFunc(func(_ context.Context, keys []string) (map[string]float64, error) {
			return map[string]float64{"k004": 100, "k000": 0}, nil
		})
		w := open(t, warm.Options{Predictor: falling(6), Values: values, Batch: 1, Share: 0.01}, memory, second)
		got, err := w.Run(t.Context(), warm.Request{Reason: "test", Keys: []string{"named", "k005", "named"}})
		if err != nil || got.State != warm.Done || got.Total != 6 || got.Loaded != 5 || got.Gone != 1 || got.Through != 6 {
			t.Errorf("%+v, %v", got, err)
		}
		if want := []string{"named", "k005", "k004", "k001", "k003"}; !slices.Equal(memory.loaded(), want) {
			t.Errorf("order %q, want %q", memory.loaded(), want)
		}
		if _, err := w.Run(t.Context(), warm.Request{Keys: []string{"extra"}, Only: true, Tiers: []string{"edge"}}); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(memory.has(), "extra") || !slices.Contains(edge.has(), "extra") {
			t.Error("a run for one tier went to another, or to none")
		}
	})
}

// What will probably not be asked for as long as it lives is left out, unless so many items were asked for.
func TestShortLived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		list := predictor(func(int) (out []warm.Demand) {
			for _, k := range []string{"long-often", "long-seldom", "short-often", "short-seldom"} {
				rate := 0.1
				if strings.HasSuffix(k, "seldom") {
					rate = 0.001
				}
				out = append(out, warm.Demand{Key: k, Rate: rate})
			}
			return out
		})
		life := func(key string) time.Duration {
			if strings.HasPrefix(key, "short") {
				return 10 * time.Second
			}
			return 10 * time.Minute
		}
		s := newShelf()
		w := open(t, warm.Options{Predictor: list, Life: life}, s)
		if _, err := w.Run(t.Context(), warm.Request{}); err != nil {
			t.Fatal(err)
		}
		if want := []string{"long-often", "long-seldom", "short-often"}; !slices.Equal(s.has(), want) {
			t.Errorf("%q, want %q", s.has(), want)
		}
		if _, err := w.Run(t.Context(), warm.Request{Top: 100}); err != nil || len(s.has()) != 4 {
			t.Errorf("%q, %v", s.has(), err)
		}
	})
}

// A cancelled run goes on where it stopped, in another Warmer too, as after the death of a process; a tier that has lost
// what it had begins again.
func TestRunIsTakenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept, lost, store := newShelf(), newShelf(), &memory{}
		o := warm.Options{Name: "x", Store: store}
		first := warm.Request{Reason: "asked", Rate: 200, Top: 400}
		one := o
		one.Predictor = falling(400)
		w := open(t, one, renamed{kept, "kept"}, renamed{lost, "lost"})
		if err := w.Start(first); err != nil {
			t.Fatal(err)
		}
		if err := w.Start(first); !errors.Is(err, warm.ErrBusy) {
			t.Errorf("a second start: %v", err)
		}
		time.Sleep(time.Second)
		w.Cancel()
		synctest.Wait()
		p := w.Progress()
		if p.State != warm.Cancelled || p.Through == 0 || p.Through == p.Total || !store.has("x.done") {
			t.Fatalf("cancelled: %+v", p)
		}
		w.Close()

		lost.epoch, lost.held = "2", map[string]bool{}
		other := o // its predictor knows nothing: the plan is the interrupted one
		other.Predictor = predictor(func(int) []warm.Demand { return nil })
		w = open(t, other, renamed{kept, "kept"}, renamed{lost, "lost"})
		asked := kept.asked
		got, err := w.Run(t.Context(), first)
		if err != nil || got.Total != 400 || got.Through != 400 {
			t.Fatalf("taken up: %+v, %v", got, err)
		}
		if again := kept.asked - asked; again > 400-p.Through+16*3 || len(kept.loads) != 400 {
			t.Errorf("%d of 400 asked again of a tier that had %d; %d loads", again, p.Through, len(kept.loads))
		}
		if len(lost.has()) != 400 {
			t.Errorf("%d in the tier that had lost all", len(lost.has()))
		}
		if store.has("x.done") {
			t.Error("a run that is done is still noted")
		}
		if got, _ := w.Run(t.Context(), first); got.Total != 0 {
			t.Errorf("done, and taken up again: %+v", got)
		}
	})
}

type renamed struct {
	*shelf
	name string
}

func (r renamed) Name() string { return r.name }

// An interrupted run that is too old, or another one's, is not taken up.
func TestOtherRunsAreNotTakenUp(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]struct {
		req   warm.Request
		after time.Duration
	}{
		"old":            {warm.Request{Reason: "asked", Top: 300}, time.Hour},
		"another amount": {warm.Request{Reason: "asked", Top: 299}, 0},
		"another reason": {warm.Request{Reason: "start", Top: 300}, 0},
		"afresh":         {warm.Request{Reason: "asked", Top: 300, Afresh: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newShelf()
				w := open(t, warm.Options{Predictor: falling(300), Store: &memory{}}, s)
				if err := w.Start(warm.Request{Reason: "asked", Top: 300}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(500 * time.Millisecond)
				w.Cancel()
				synctest.Wait()
				time.Sleep(second.after)
				got, err := w.Run(t.Context(), second.req)
				if err != nil || got.Skipped != 0 || got.Loaded+got.Present != got.Total {
					t.Errorf("%+v, %v", got, err)
				}
			})
		})
	}
}

// A tier that fails once is no reason to stop, one that goes on failing is; a panic is a failure.
func TestFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, calls := newShelf(), 0
		s.before = func(context.Context, []string) error {
			if calls++; calls == 2 {
				panic("oh no")
			}
			return nil
		}
		w := open(t, warm.Options{Predictor: falling(100), Share: 0.01}, s)
		if p, err := w.Run(t.Context(), warm.Request{}); err != nil || p.Failed == 0 || p.Failed+p.Loaded != 100 {
			t.Errorf("%+v, %v", p, err)
		}
		down := errors.New("the database is down")
		s.before = func(context.Context, []string) error { return down }
		p, err := w.Run(t.Context(), warm.Request{})
		if !errors.Is(err, warm.ErrFailing) || !errors.Is(err, down) || !strings.Contains(err.Error(), "shelf") || p.State != warm.Failed {
			t.Errorf("%+v, %v", p, err)
		}
		s.before = func(ctx context.Context, _ []string) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		if p, err := w.Run(t.Context(), warm.Request{}); !errors.Is(err, context.DeadlineExceeded) || p.State != warm.Failed {
			t.Errorf("a tier that hangs: %+v, %v", p, err)
		}
	})
}

// Cancel, the caller's context and Close end a run whatever it is doing, and nothing is left behind.
func TestEnding(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(*warm.Warmer, context.CancelFunc)
		want error
	}{
		"cancel":  {func(w *warm.Warmer, _ context.CancelFunc) { w.Cancel() }, warm.ErrCancelled},
		"context": {func(_ *warm.Warmer, stop context.CancelFunc) { stop() }, context.Canceled},
		"close":   {func(w *warm.Warmer, _ context.CancelFunc) { w.Close() }, warm.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newShelf()
				s.before = func(ctx context.Context, _ []string) error {
					<-ctx.Done()
					return context.Cause(ctx)
				}
				w := open(t, warm.Options{Predictor: falling(100)}, s)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				ended := make(chan error)
				for range 2 { // one works, one waits for its turn
					go func() {
						_, err := w.Run(ctx, warm.Request{})
						ended <- err
					}()
				}
				synctest.Wait()
				c.end(w, stop)
				if err := <-ended; !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				synctest.Wait()
				c.end(w, stop)
				if err := <-ended; !errors.Is(err, c.want) {
					t.Errorf("the one that waited: %v, want %v", err, c.want)
				}
				if p := w.Progress(); p.State != warm.Cancelled {
					t.Errorf("%+v", p)
				}
			})
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, o := range []warm.Options{{Rate: -1}, {Share: 2}, {Top: -1}, {MinUse: 7}, {Window: -1}} {
		if w, err := warm.New(o, newShelf()); !errors.Is(err, warm.ErrOptions) {
			w.Close()
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := warm.New(warm.Options{}); !errors.Is(err, warm.ErrOptions) {
		t.Errorf("no tier: %v", err)
	}
	if _, err := warm.New(warm.Options{}, newShelf(), newShelf()); !errors.Is(err, warm.ErrOptions) {
		t.Errorf("two of a name: %v", err)
	}
	w := open(t, warm.Options{}, newShelf())
	for _, r := range []warm.Request{{Top: -1}, {Rate: -1}, {Only: true}, {Tiers: []string{"moon"}}, {Top: 1 << 30}} {
		if _, err := w.Run(t.Context(), r); !errors.Is(err, warm.ErrOptions) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	w.Close()
	w.Close()
	if _, err := w.Run(t.Context(), warm.Request{}); !errors.Is(err, warm.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := w.Start(warm.Request{}); !errors.Is(err, warm.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := w.Follow(warm.Campaign{}); !errors.Is(err, warm.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
