package cache_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// hasty is for tests in which Redis hangs.
func hasty(o *cache.Options) { o.Timeout = 200 * time.Millisecond }

// seed sees to it that L2 has the value, although a hasty process on a busy machine may fail to store it at first.
func seed(tb testing.TB, s *cache.Store, d *db, key string) {
	tb.Helper()
	eventually(tb, "the value is in L2", func() bool {
		_, src := get(tb, cache.New[string](s, "row", cache.FamilyOptions{}), d, key)
		return src == cache.L2
	})
}

// outage checks that both processes answer without Redis, never with what was invalidated meanwhile, and that Redis is used again,
// without anything stale, once it is back.
func outage(t *testing.T, r *localtest.RedisServer, tune func(*cache.Options), down, up func()) {
	a, b, _ := pair(t, r.Addr, tune)
	fa, fb := cache.New[string](a, "row", cache.FamilyOptions{}), cache.New[string](b, "row", cache.FamilyOptions{})
	var d db
	for i := range 20 {
		d.set(strconv.Itoa(i), "old")
		get(t, fa, &d, strconv.Itoa(i))
		seed(t, a, &d, strconv.Itoa(i))
	}
	down()
	d.set("1", "new")
	if err := a.Invalidate(t.Context(), []string{"1"}); !errors.Is(err, cache.ErrUnconfirmed) {
		t.Errorf("an invalidation Redis did not hear gave %v", err)
	}
	for i := range 20 { // b has nothing in L1: all of this goes to the loader
		if v, _ := get(t, fb, &d, strconv.Itoa(i)); v != map[bool]string{true: "new", false: "old"}[i == 1] {
			t.Errorf("%d: %q while Redis is away", i, v)
		}
		get(t, fa, &d, strconv.Itoa(i))
	}
	if tags, _ := cache.Pending(a); tags != 1 {
		t.Errorf("%d tags remembered, want 1", tags)
	}
	up()
	eventually(t, "Redis is in use again", func() bool { return a.Stats().L2.Up && b.Stats().L2.Up })
	if tags, all := cache.Pending(a); tags != 0 || all {
		t.Errorf("still pending: %d, %v", tags, all)
	}
	for name, s := range map[string]*cache.Store{"a": a, "b": b} { // a third family sees L2 alone
		if v, src := get(t, cache.New[string](s, "row", cache.FamilyOptions{}), &d, "1"); v != "new" {
			t.Errorf("%s: %q from %v after the outage", name, v, src)
		}
	}
	seed(t, b, &d, "1")
}

func TestRedisKilledAndRestarted(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	outage(t, r, nil, r.Kill, func() { r.Restart(t) })
}

func TestRedisPaused(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	outage(t, r, hasty, r.Pause, r.Resume)
}

func TestBreakerSparesRequestsTheWait(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	s := store(t, cache.Options{Redis: []string{r.Addr}, Timeout: 20 * time.Millisecond, Trip: 3})
	f := cache.New[string](s, "row", cache.FamilyOptions{})
	eventually(t, "Redis is in use", func() bool { return s.Ready(t.Context()) == nil })
	r.Pause()
	defer r.Resume()
	var d db
	for i := range 50 {
		d.set(strconv.Itoa(i), "v")
		get(t, f, &d, strconv.Itoa(i))
	}
	if st := s.Stats().L2; st.Up || st.Trips < 1 || st.Errors < 3 || st.Errors > 25 { // on a busy machine there is time to try again between
		t.Errorf("50 reads of a hanging Redis: %+v; want 3 errors or a few more, then silence", st)
	}
}

func TestStartsWithoutRedis(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	r.Kill()
	a, _, _ := pair(t, r.Addr, nil)
	f := cache.New[string](a, "row", cache.FamilyOptions{})
	var d db
	d.set("k", "v")
	get(t, f, &d, "k")
	if err := a.Ready(t.Context()); err == nil {
		t.Error("ready without Redis")
	}
	r.Restart(t)
	eventually(t, "Redis is found", func() bool { return a.Ready(t.Context()) == nil })
	d.set("k2", "v")
	get(t, f, &d, "k2")
	settled(t, a, "row", "k2", "v")
}

func TestTooManyPendingBecomeAClear(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	a, b, _ := pair(t, r.Addr, func(o *cache.Options) { o.MaxPending = 10; hasty(o) })
	fa := cache.New[string](a, "row", cache.FamilyOptions{})
	var d db
	d.set("k", "old")
	get(t, fa, &d, "k")
	seed(t, b, &d, "k")
	r.Pause()
	d.set("k", "new")
	tags := []string{"k"}
	for i := range 20 {
		tags = append(tags, fmt.Sprint("filler", i))
	}
	if err := a.Invalidate(t.Context(), tags); err == nil {
		t.Fatal("a paused Redis confirmed")
	}
	if n, all := cache.Pending(a); n != 0 || !all {
		t.Errorf("pending %d, clear %v; want a clear", n, all)
	}
	r.Resume()
	eventually(t, "Redis is in use again", func() bool { return a.Stats().L2.Up && b.Stats().L2.Up })
	if v, src := get(t, cache.New[string](b, "row", cache.FamilyOptions{}), &d, "k"); v != "new" {
		t.Errorf("%q from %v", v, src)
	}
}

// The process that invalidates cannot reach Redis, the other one can: it must not go on reading the old value there.
func TestInvalidationTravelsAroundACutLink(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	wire := &bus{}
	cut := store(t, cache.Options{Redis: []string{"127.0.0.1:1"}, Bus: wire})
	linked := store(t, cache.Options{Redis: []string{r.Addr}, Bus: wire})
	f := cache.New[string](linked, "row", cache.FamilyOptions{})
	var d db
	d.set("k", "old")
	get(t, f, &d, "k")
	settled(t, linked, "row", "k", "old")
	d.set("k", "new")
	if err := cut.Invalidate(t.Context(), []string{"k"}); !errors.Is(err, cache.ErrUnconfirmed) {
		t.Errorf("got %v", err)
	}
	if v, src := get(t, f, &d, "k"); v != "new" {
		t.Errorf("%q from %v", v, src)
	}
	eventually(t, "the linked process tells Redis", func() bool { n, _ := cache.Pending(linked); return n == 0 && linked.Stats().L2.Up })
	if v, src := get(t, cache.New[string](linked, "row", cache.FamilyOptions{}), &d, "k"); v != "new" {
		t.Errorf("%q from %v", v, src)
	}
}

// Redis forgets some keys: their values miss, nothing old comes back.
func TestLostVersionsMiss(t *testing.T) {
	t.Parallel()
	for name, pattern := range map[string]string{"clock": "*clock*", "tags": "*:t:*"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := localtest.Redis(t)
			a, b, _ := pair(t, r.Addr, nil)
			fa := cache.New[string](a, "row", cache.FamilyOptions{})
			var d db
			d.set("k", "old")
			get(t, fa, &d, "k")
			settled(t, b, "row", "k", "old")
			d.set("k", "new")
			if err := a.Invalidate(t.Context(), []string{"k"}); err != nil {
				t.Fatal(err)
			}
			if n := cache.Forget(t, a, pattern); n == 0 {
				t.Fatal("nothing to forget")
			}
			if v, src := get(t, cache.New[string](b, "row", cache.FamilyOptions{}), &d, "k"); v != "new" {
				t.Errorf("%q from %v", v, src)
			}
			settled(t, b, "row", "k", "new")
		})
	}
}
