package cache_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

var errDatabase = errors.New("the database is away")

func value(v string) func(context.Context) (string, []string, error) {
	return func(context.Context) (string, []string, error) { return v, []string{"tag"}, nil }
}

func failing(context.Context) (string, []string, error) { return "", nil, errDatabase }

// expired waits until key has expired: Peek does not see it any more.
func expired(t *testing.T, f *cache.Family[string], key string) {
	t.Helper()
	eventually(t, "the value expires", func() bool { _, ok := f.Peek(key); return !ok })
}

func TestStaleWhileRevalidate(t *testing.T) {
	t.Parallel()
	s := store(t, cache.Options{})
	f := cache.New[string](s, "row", cache.FamilyOptions{TTL: 20 * time.Millisecond, StaleFor: time.Minute})
	if _, _, err := f.Get(t.Context(), "k", value("old")); err != nil {
		t.Fatal(err)
	}
	expired(t, f, "k")
	entered, release := make(chan struct{}), make(chan struct{})
	slow := func(context.Context) (string, []string, error) {
		close(entered)
		<-release
		return "new", []string{"tag"}, nil
	}
	old := func() { // nobody waits, and only one load begins: a second would close entered again
		t.Helper()
		if v, src, err := f.Get(t.Context(), "k", slow); v != "old" || src != cache.L1 || err != nil {
			t.Fatalf("%q from %v, %v", v, src, err)
		}
	}
	eventually(t, "a load begins", func() bool { // the first one may not have left the stage yet
		old()
		select {
		case <-entered:
			return true
		default:
			return false
		}
	})
	for range 3 {
		old()
	}
	close(release)
	eventually(t, "the background load arrives", func() bool {
		v, _, err := f.Get(t.Context(), "k", value("new"))
		return v == "new" && err == nil
	})
	if st := s.Stats().Families[0]; st.Stale < 3 {
		t.Errorf("%+v", st)
	}
}

func TestFailSafe(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	a, b, _ := pair(t, r.Addr, nil)
	o := cache.FamilyOptions{TTL: 20 * time.Millisecond, FailSafe: time.Minute}
	f := cache.New[string](a, "row", o)
	if _, _, err := f.Get(t.Context(), "k", value("old")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the value expires in L2 too, and is served by a process that never had it", func() bool {
		v, src, err := cache.New[string](b, "row", o).Get(t.Context(), "k", failing)
		return v == "old" && src == cache.L2 && err == nil && b.Stats().Families[len(b.Stats().Families)-1].FailSafe == 1
	})
	expired(t, f, "k")
	if v, _, err := f.Get(t.Context(), "k", failing); v != "old" || err != nil {
		t.Errorf("%q, %v although FailSafe", v, err)
	}
	if _, _, err := f.Get(t.Context(), "unknown", failing); !errors.Is(err, errDatabase) {
		t.Errorf("nothing to serve gave %v", err)
	}
	if err := b.Invalidate(t.Context(), []string{"tag"}); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*cache.Store{"a": a, "b": b} { // what was invalidated is never served
		if v, _, err := cache.New[string](s, "row", o).Get(t.Context(), "k", failing); !errors.Is(err, errDatabase) {
			t.Errorf("%s: %q, %v after the invalidation", name, v, err)
		}
	}
	if v, _, err := f.Get(t.Context(), "k", failing); !errors.Is(err, errDatabase) {
		t.Errorf("%q, %v after the invalidation", v, err)
	}
}

func TestFailSafeEnds(t *testing.T) {
	t.Parallel()
	f := cache.New[string](store(t, cache.Options{}), "row", cache.FamilyOptions{TTL: 10 * time.Millisecond, FailSafe: 50 * time.Millisecond})
	if _, _, err := f.Get(t.Context(), "k", value("old")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bound passes", func() bool {
		_, _, err := f.Get(t.Context(), "k", failing)
		return errors.Is(err, errDatabase)
	})
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	f := cache.New[string](store(t, cache.Options{}), "row", cache.FamilyOptions{TTL: 3 * time.Second, FailSafe: time.Minute, Beta: -1, // else Peek says no to what took long
		SoftTimeout: 10 * time.Millisecond, HardTimeout: 20 * time.Millisecond})
	release := make(chan struct{})
	slow := func(ctx context.Context) (string, []string, error) {
		select {
		case <-release:
			return "new", nil, nil
		case <-ctx.Done():
			return "", nil, ctx.Err()
		}
	}
	eventually(t, "there is something old", func() bool { // on a busy machine this may take too long, too
		_, _, err := f.Get(t.Context(), "k", value("old"))
		return err == nil
	})
	expired(t, f, "k")
	if v, _, err := f.Get(t.Context(), "k", slow); v != "old" || err != nil {
		t.Errorf("with something old at hand: %q, %v", v, err)
	}
	if _, _, err := f.Get(t.Context(), "none", slow); !errors.Is(err, cache.ErrTimeout) {
		t.Errorf("with nothing at hand: %v", err)
	}
	close(release) // both loads have gone on
	for _, key := range []string{"none", "k"} {
		eventually(t, "the load is finished in the background", func() bool { v, ok := f.Peek(key); return ok && v == "new" })
	}
}

// Each hit draws a lot near the end of a value that is expensive; one load in the background replaces it in time.
func TestEarlyRefresh(t *testing.T) {
	t.Parallel()
	s := store(t, cache.Options{})
	f := cache.New[string](s, "row", cache.FamilyOptions{TTL: 8 * time.Second, Jitter: -1, Beta: 20}) // drawn long before the end, however busy the machine is
	slow := func(v string) func(context.Context) (string, []string, error) {
		return func(context.Context) (string, []string, error) {
			<-time.After(100 * time.Millisecond) // what it costs
			return v, nil, nil
		}
	}
	if _, _, err := f.Get(t.Context(), "k", slow("old")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is refreshed", func() bool {
		v, src, err := f.Get(t.Context(), "k", slow("new"))
		if err != nil || src != cache.L1 {
			t.Fatalf("from %v, %v: somebody had to wait", src, err)
		}
		return v == "new"
	})
	if st := s.Stats().Families[0]; st.Early == 0 || st.Loads != 2 {
		t.Errorf("%+v", st)
	}
}

// A source that fails is not asked again at each hit, whether a value is stale or only near its end.
func TestFailedRefreshPauses(t *testing.T) {
	t.Parallel()
	for name, redis := range map[string][]string{"memory": nil, "redis": {localtest.Redis(t).Addr}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := cache.New[string](store(t, cache.Options{Redis: redis}), "row", cache.FamilyOptions{TTL: 20 * time.Millisecond, StaleFor: time.Minute})
			if _, _, err := f.Get(t.Context(), "k", value("old")); err != nil {
				t.Fatal(err)
			}
			expired(t, f, "k")
			var tries atomic.Int64
			get := func() {
				v, _, err := f.Get(t.Context(), "k", func(context.Context) (string, []string, error) {
					tries.Add(1)
					return "", nil, errDatabase
				})
				if v != "old" || err != nil {
					t.Fatalf("%q, %v", v, err)
				}
			}
			get()
			eventually(t, "the refresh fails", func() bool { return tries.Load() == 1 && cache.Calls(f) == 0 })
			for range 1000 {
				get()
			}
			if n := tries.Load(); n > 2 { // a busy machine may have let the pause of a second pass
				t.Errorf("%d loads", n)
			}
		})
	}
}

func TestPanicInTheBackgroundIsLogged(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s, err := cache.NewStore(cache.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := cache.New[string](s, "row", cache.FamilyOptions{TTL: 10 * time.Millisecond, StaleFor: time.Minute})
	if _, _, err := f.Get(t.Context(), "k", value("old")); err != nil {
		t.Fatal(err)
	}
	expired(t, f, "k")
	if v, _, err := f.Get(t.Context(), "k", func(context.Context) (string, []string, error) { panic("oops") }); v != "old" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	s.Close() // waits for it
	if !strings.Contains(log.String(), "oops") || !strings.Contains(log.String(), "stale_test.go") {
		t.Errorf("logged: %s", log.String())
	}
}
