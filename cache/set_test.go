package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

func never(t *testing.T) func(context.Context) (string, []string, error) {
	return func(context.Context) (string, []string, error) {
		t.Error("loaded what is cached")
		return "", nil, errors.New("not to be loaded")
	}
}

func want(t *testing.T, f *cache.Family[string], key, want string) {
	t.Helper()
	if v, src, err := f.Get(t.Context(), key, never(t)); v != want || err != nil {
		t.Errorf("%q from %v, %v; want %q", v, src, err, want)
	}
}

func TestSetReachesEveryProcess(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	fa, fb := cache.New[string](a, "row", cache.FamilyOptions{}), cache.New[string](b, "row", cache.FamilyOptions{})
	for i := range 20 {
		v := fmt.Sprint("v", i)
		f, other := fa, fb
		if i%2 == 1 {
			f, other = fb, fa
		}
		if err := f.Set(t.Context(), "k", v, "tag"); err != nil {
			t.Fatal(err)
		}
		want(t, f, "k", v)
		want(t, other, "k", v)
	}
	if err := a.InvalidateTags(t.Context(), "tag"); err != nil {
		t.Fatal(err)
	}
	var d db
	d.set("k", "loaded")
	if v, _ := get(t, fb, &d, "k"); v != "loaded" {
		t.Errorf("%q after the tag was invalidated", v)
	}
	settled(t, a, "row", "k", "loaded")
	d.set("k", "again")
	if err := fa.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*cache.Family[string]{fb, fa} {
		if v, _ := get(t, f, &d, "k"); v != "again" {
			t.Errorf("%q after Delete", v)
		}
	}
}

// A load that began before a Set does not overwrite it, in any tier or process.
func TestSetBeatsAnOlderLoad(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	fa, fb := cache.New[string](a, "row", cache.FamilyOptions{}), cache.New[string](b, "row", cache.FamilyOptions{})
	entered, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = fa.Get(t.Context(), "k", func(context.Context) (string, []string, error) {
			close(entered)
			<-release
			return "old", nil, nil
		})
	}()
	<-entered
	if err := fb.Set(t.Context(), "k", "new"); err != nil {
		t.Fatal(err)
	}
	close(release)
	<-done
	want(t, fa, "k", "new")
	want(t, fb, "k", "new")
	want(t, cache.New[string](a, "row", cache.FamilyOptions{}), "k", "new")
}

// Increments from two processes at once: none is lost, and no load is needed.
func TestUpdateIsAtomic(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	add := func(v string) (string, error) {
		n, err := strconv.Atoi(v)
		return strconv.Itoa(n + 1), err
	}
	for name, o := range map[string]cache.FamilyOptions{"shared": {}, "in memory": {L1Only: true}} {
		fa, fb := cache.New[string](a, name, o), cache.New[string](b, name, o)
		if o.L1Only {
			fb = fa
		}
		if err := fa.Set(t.Context(), "n", "0", "tag"); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 4 {
			f := []*cache.Family[string]{fa, fb}[i%2]
			wg.Go(func() {
				for range 25 {
					found, err := f.Update(t.Context(), "n", add)
					for errors.Is(err, cache.ErrConflict) {
						t.Error("too many conflicts")
						return
					}
					if !found || err != nil {
						t.Errorf("%s: found %v, %v", name, found, err)
					}
				}
			})
		}
		wg.Wait()
		want(t, fa, "n", "100")
		want(t, fb, "n", "100")
	}
}

func TestUpdateOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	f := cache.New[string](a, "row", cache.FamilyOptions{})
	upper := func(v string) (string, error) { return v + "!", nil }
	if found, err := f.Update(t.Context(), "k", upper); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	if err := f.Set(t.Context(), "k", "v", "tag"); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	if _, err := f.Update(t.Context(), "k", func(string) (string, error) { return "", boom }); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if err := b.Invalidate(t.Context(), []string{"tag"}); err != nil {
		t.Fatal(err)
	}
	if found, err := f.Update(t.Context(), "k", upper); found || err != nil {
		t.Errorf("updated what is invalidated: found %v, %v", found, err)
	}
}

func TestBehind(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	fa, fb := cache.New[string](a, "row", cache.FamilyOptions{}), cache.New[string](b, "row", cache.FamilyOptions{})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	flush := func() { t.Helper(); check(a.Flush(t.Context())) }
	check(fa.SetBehind("k", "one", "tag"))
	want(t, fa, "k", "one") // at once
	flush()
	want(t, fb, "k", "one")
	check(fa.UpdateBehind("k", func(v string) (string, error) { return v + "+", nil }))
	flush()
	want(t, fb, "k", "one+")
	check(fa.RefreshBehind("k", value("two")))
	flush()
	want(t, fa, "k", "two")
	want(t, fb, "k", "two")
	var written []string
	for i := range 5 {
		v := strconv.Itoa(i)
		check(fa.WriteBehind("k", v, nil, func(context.Context) error { written = append(written, v); return nil }, nil))
	}
	flush()
	if fmt.Sprint(written) != "[0 1 2 3 4]" {
		t.Errorf("written in the order %v", written)
	}
	want(t, fb, "k", "4")
	failed := make(chan error, 1)
	check(fa.WriteBehind("k", "5", nil, func(context.Context) error { return errDatabase }, func(err error) { failed <- err }))
	flush()
	if err := <-failed; !errors.Is(err, errDatabase) {
		t.Errorf("heard %v", err)
	}
	var d db
	d.set("k", "truth")
	if v, _ := get(t, fb, &d, "k"); v != "truth" {
		t.Errorf("%q after a write that failed", v)
	}
	check(fa.DeleteBehind("k"))
	check(a.InvalidateBehind("k"))
	check(a.ClearBehind())
	flush()
	d.set("k", "later")
	if v, _ := get(t, fb, &d, "k"); v != "later" {
		t.Errorf("%q after Clear", v)
	}
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	s := store(t, cache.Options{Queue: 4})
	f := cache.New[string](s, "row", cache.FamilyOptions{})
	entered, release := make(chan struct{}), make(chan struct{})
	var first sync.Once
	block := func(context.Context) error {
		first.Do(func() { close(entered) })
		<-release
		return nil
	}
	if err := f.WriteBehind("k", "0", nil, block, nil); err != nil {
		t.Fatal(err)
	}
	<-entered
	var err error
	for i := 0; err == nil && i < 10; i++ {
		err = f.WriteBehind("k", "1", nil, block, nil)
	}
	if !errors.Is(err, cache.ErrQueueFull) {
		t.Errorf("got %v", err)
	}
	if st := s.Stats(); st.Dropped != 1 || st.Queued == 0 {
		t.Errorf("%+v", st)
	}
	close(release)
	s.Close() // does what it accepted
	if err := f.SetBehind("k", "2"); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestWriteThrough(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	fa, fb := cache.New[string](a, "row", cache.FamilyOptions{}), cache.New[string](b, "row", cache.FamilyOptions{})
	var d db
	write := func(context.Context) error { d.set("k", "written"); return nil }
	if err := fa.Write(t.Context(), "k", "written", []string{"k"}, write); err != nil {
		t.Fatal(err)
	}
	want(t, fb, "k", "written")
	if err := fa.Write(t.Context(), "k", "lost", nil, func(context.Context) error { return errDatabase }); !errors.Is(err, errDatabase) {
		t.Errorf("got %v", err)
	}
	if v, src := get(t, fb, &d, "k"); v != "written" || src != cache.Load {
		t.Errorf("%q from %v after a write that failed", v, src)
	}
}
