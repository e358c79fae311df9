package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/chaos"
)

// Whatever is injected, undone, left to its time or stopped, in whatever order: in the end all is as it was, and nobody ever
// held what somebody else had.
func TestEveryOrderEndsWhereItBegan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld()
		var reg chaos.Registry
		reg.Add(w.mark("scratch"), w.mark("dent"))
		in, err := chaos.New(&reg, chaos.Options{Dir: dir, Retry: time.Microsecond})
		if err != nil {
			rt.Fatal(err)
		}
		held := map[string]string{} // thing to injection
		var leaving []chaos.Injection
		rt.Repeat(map[string]func(*rapid.T){
			"inject": func(rt *rapid.T) {
				thing := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "thing")
				req := chaos.Request{Fault: rapid.SampledFrom([]string{"scratch", "dent"}).Draw(rt, "fault"), Params: map[string]string{"thing": thing}}
				brief := rapid.Bool().Draw(rt, "brief")
				if brief {
					req.For = time.Microsecond
				}
				i, err := in.Inject(t.Context(), req)
				if held[thing] != "" && !errors.Is(err, chaos.ErrBusy) {
					rt.Fatalf("%s is held, and injected again: %v", thing, err)
				}
				switch {
				case err == nil && brief:
					leaving = append(leaving, i)
				case err == nil:
					held[thing] = i.ID
				case !errors.Is(err, chaos.ErrBusy):
					rt.Fatal(err)
				}
			},
			"end": func(rt *rapid.T) {
				thing := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "thing")
				err := in.End(t.Context(), held[thing])
				if (held[thing] == "") != errors.Is(err, chaos.ErrNotActive) || held[thing] != "" && err != nil {
					rt.Fatalf("%s, held by %q: %v", thing, held[thing], err)
				}
				delete(held, thing)
			},
			"fumble": func(rt *rapid.T) {
				w.mu.Lock()
				w.clumsy = rapid.IntRange(0, 3).Draw(rt, "failing undos")
				w.mu.Unlock()
			},
			"stop": func(rt *rapid.T) {
				if err := in.Stop(t.Context()); err != nil {
					rt.Fatal(err)
				}
				clear(held)
				if got := w.state(); len(got) != 0 {
					rt.Fatalf("stopped, and still: %v", got)
				}
			},
			"": func(rt *rapid.T) {
				marked := w.state()
				for thing := range held {
					if marked[thing] == "" {
						rt.Fatalf("%s is held and not marked", thing)
					}
				}
			},
		})
		if err := in.Close(t.Context()); err != nil {
			rt.Fatal(err)
		}
		if got := w.state(); len(got) != 0 {
			rt.Fatalf("closed, and still: %v; let go by themselves: %v", got, leaving)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
			rt.Fatalf("closed, and there is still %v", left)
		}
	})
}

func TestFaultUndoesItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var reg chaos.Registry
		f := w.mark("scratch")
		f.Limit = 10 * time.Second
		reg.Add(f)
		in, err := chaos.New(&reg, chaos.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w.clumsy = 2
		if _, err := in.Inject(t.Context(), chaos.Request{Fault: "scratch", Params: map[string]string{"thing": "a"}, For: time.Hour}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Second - time.Nanosecond)
		if w.state()["a"] == "" {
			t.Error("undone before its time")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if a := in.Active(); len(a) != 1 || a[0].Error == "" {
			t.Errorf("after an undo that failed: %+v", a)
		}
		time.Sleep(2 * time.Second) // the pause before each further try
		synctest.Wait()
		if got := w.state(); len(got) != 0 || len(in.Active()) != 0 {
			t.Errorf("not undone: %v", got)
		}
	})
}

// Stop also ends what is being injected while it is called, and lets nothing new in meanwhile.
func TestStopMeetsInjection(t *testing.T) {
	t.Parallel()
	w := newWorld()
	begun, goOn := make(chan struct{}), make(chan struct{})
	slow := w.mark("slow")
	plan := slow.Plan
	slow.Plan = func(ctx context.Context, v chaos.Values) (chaos.Plan, error) {
		p, err := plan(ctx, v)
		inject := p.Inject
		p.Inject = func(ctx context.Context, amend func(any) error) (chaos.Undo, error) {
			close(begun)
			<-goOn
			return inject(ctx, amend)
		}
		return p, err
	}
	var reg chaos.Registry
	reg.Add(slow, w.mark("scratch"))
	in, err := chaos.New(&reg, chaos.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = in.Inject(t.Context(), chaos.Request{Fault: "slow", Params: map[string]string{"thing": "a"}})
	})
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- in.Stop(t.Context()) }()
	for { // until Stop has begun
		i, err := in.Inject(t.Context(), chaos.Request{Fault: "scratch", Params: map[string]string{"thing": "b"}})
		if errors.Is(err, chaos.ErrStopped) {
			break
		}
		_ = in.End(t.Context(), i.ID)
	}
	close(goOn)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	both.Wait()
	if got := w.state(); len(got) != 0 {
		t.Errorf("stopped, and still: %v", got)
	}
	if _, err := in.Inject(t.Context(), chaos.Request{Fault: "scratch", Params: map[string]string{"thing": "b"}}); err != nil {
		t.Errorf("after Stop has returned: %v", err)
	}
	for range 2 {
		if err := in.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := in.Inject(t.Context(), chaos.Request{Fault: "scratch", Params: map[string]string{"thing": "b"}}); !errors.Is(err, chaos.ErrStopped) {
		t.Errorf("after Close: %v", err)
	}
}

// What cannot be undone before the injector has to go stays in the journal, and the next process undoes it.
func TestCloseLeavesToRecover(t *testing.T) {
	t.Parallel()
	dir, w := t.TempDir(), newWorld()
	var reg chaos.Registry
	reg.Add(w.mark("scratch"))
	in, err := chaos.New(&reg, chaos.Options{Dir: dir, Retry: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Inject(t.Context(), chaos.Request{Fault: "scratch", Params: map[string]string{"thing": "a"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := chaos.Recover(t.Context(), dir, &reg); err != nil || len(got) != 0 {
		t.Errorf("recovered what a living process owns: %v, %v", got, err)
	}
	w.mu.Lock()
	w.clumsy = 1 << 30
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := in.Close(ctx); !errors.Is(err, chaos.ErrNotUndone) {
		t.Errorf("closed although a fault is in force: %v", err)
	}
	if _, err := chaos.Recover(t.Context(), dir, &reg); !errors.Is(err, errClumsy) {
		t.Errorf("recovered although the undo fails: %v", err)
	}
	w.mu.Lock()
	w.clumsy = 0
	w.mu.Unlock()
	for range 2 {
		if _, err := chaos.Recover(t.Context(), dir, &reg); err != nil || len(w.state()) != 0 {
			t.Errorf("recovered: %v, %v", w.state(), err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("there is still %v", left)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	noGo := errors.New("only on Sundays")
	var reg chaos.Registry
	w := newWorld()
	sunday := w.mark("sunday")
	sunday.Available = func(context.Context) error { return noGo }
	scratch := w.mark("scratch")
	scratch.Params = append(scratch.Params, chaos.Param{Name: "depth", Kind: chaos.Size}, chaos.Param{Name: "share", Kind: chaos.Share, Default: "50%"})
	reg.Add(sunday, scratch)
	in, err := chaos.New(&reg, chaos.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(t.Context()) }()
	for _, c := range []struct {
		fault  string
		params map[string]string
		want   error
	}{
		{"paint", nil, chaos.ErrUnknown},
		{"sunday", map[string]string{"thing": "a"}, noGo},
		{"sunday", map[string]string{"thing": "a"}, chaos.ErrUnavailable},
		{"scratch", nil, chaos.ErrParams},
		{"scratch", map[string]string{"thing": "a", "colour": "red"}, chaos.ErrParams},
		{"scratch", map[string]string{"thing": "a", "depth": "3 m"}, chaos.ErrParams},
		{"scratch", map[string]string{"thing": "a", "depth": "9223372036854775807GiB"}, chaos.ErrParams},
		{"scratch", map[string]string{"thing": "a", "share": "150%"}, chaos.ErrParams},
	} {
		if _, err := in.Inject(t.Context(), chaos.Request{Fault: c.fault, Params: c.params}); !errors.Is(err, c.want) {
			t.Errorf("%s %v: %v, want %v", c.fault, c.params, err, c.want)
		}
	}
	if len(w.state()) != 0 || len(in.Active()) != 0 {
		t.Error("a refused fault was injected")
	}
	list := reg.List(t.Context())
	if i := slices.IndexFunc(list, func(i chaos.Info) bool { return i.Name == "sunday" }); list[i].Available || list[i].Reason != noGo.Error() {
		t.Errorf("%+v", list[i])
	}
}

// There is a bound to what is in force.
func TestBound(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var reg chaos.Registry
	reg.Add(w.mark("scratch"))
	in, err := chaos.New(&reg, chaos.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range chaos.MaxActive + 1 {
		_, err := in.Inject(t.Context(), chaos.Request{Fault: "scratch", Params: map[string]string{"thing": fmt.Sprint(n)}})
		if full := n == chaos.MaxActive; full != errors.Is(err, chaos.ErrBusy) || !full && err != nil {
			t.Fatalf("the %dth: %v", n+1, err)
		}
	}
	if err := in.Close(t.Context()); err != nil || len(w.state()) != 0 {
		t.Error(err, w.state())
	}
}

// An injector is asked for the same thing by many at once: one gets it.
func TestInjectConcurrently(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var reg chaos.Registry
	reg.Add(w.mark("scratch"))
	in, err := chaos.New(&reg, chaos.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for k := range 20 {
				i, err := in.Inject(t.Context(), chaos.Request{Fault: "scratch", Params: map[string]string{"thing": fmt.Sprint(k % 3)}})
				if err == nil && n%2 == 0 {
					err = in.End(t.Context(), i.ID)
				}
				if err != nil && !errors.Is(err, chaos.ErrBusy) && !errors.Is(err, chaos.ErrStopped) {
					t.Error(err)
				}
				if n == 7 {
					if err := in.Stop(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	if err := in.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := w.state(); len(got) != 0 {
		t.Errorf("closed, and still: %v", got)
	}
}
