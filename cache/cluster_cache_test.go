package cache_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stampede-shop/stampede/cache"
)

// rows are a database whose every row is a number that only grows, with what writers have finished.
type rows struct{ now, finished [40]atomic.Int64 }

// load reads row k.
func (r *rows) load(k int) func(context.Context) (int64, []string, error) {
	return func(context.Context) (int64, []string, error) { return r.now[k].Load(), []string{strconv.Itoa(k)}, nil }
}

// churn has readers and writers at work in all processes until stop is called: no read returns less than what was written and
// confirmed before it began. stop waits until there were so many reads and confirmed writes that this shows something.
func (r *rows) churn(t *testing.T, stores []*cache.Store) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var reads, writes atomic.Int64
	for i, s := range stores {
		f := cache.New[int64](s, "n", cache.FamilyOptions{})
		wg.Go(func() { // one writer a process, each with rows of its own
			for ctx.Err() == nil {
				k := rand.IntN(len(r.now)/len(stores))*len(stores) + i
				n := r.now[k].Add(1)
				if s.Invalidate(context.WithoutCancel(ctx), []string{strconv.Itoa(k)}) == nil {
					r.finished[k].Store(n)
					writes.Add(1)
				}
			}
		})
		for range 4 {
			wg.Go(func() {
				for ctx.Err() == nil {
					k := rand.IntN(len(r.now))
					floor := r.finished[k].Load()
					v, src, err := f.Get(context.WithoutCancel(ctx), strconv.Itoa(k), r.load(k))
					if err != nil || v < floor {
						t.Errorf("read %d from %v (%v), but %d was finished before", v, src, err, floor)
						return
					}
					reads.Add(1)
				}
			})
		}
	}
	var once sync.Once
	end := func() { once.Do(func() { cancel(); wg.Wait() }) }
	t.Cleanup(end)
	return func() {
		eventually(t, "a thousand reads and a hundred writes", func() bool { return reads.Load() >= 1000 && writes.Load() >= 100 || t.Failed() })
		end()
	}
}

// The master that has the clock dies, and its replica has not heard the last of it: numbers would be given out twice, and what had been
// invalidated would look valid. Neither those who saw it nor a process that begins afterwards reads anything old.
func TestClusterLosesItsClock(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	wire := &bus{}
	var stores []*cache.Store
	for range 2 {
		stores = append(stores, store(t, cache.Options{Redis: c.addrs(), Bus: wire}))
	}
	var r rows
	stop := r.churn(t, stores)
	eventually(t, "there is something to lose", func() bool { return r.finished[0].Load() > 5 && r.finished[1].Load() > 5 })
	clock := c.slotOf(t, "stampede:clock") * 3 / slots
	c.unfollow(t, clock)
	before := r.finished[0].Load()
	eventually(t, "much is said that the replica does not hear", func() bool { return r.finished[0].Load() > before+5 })
	c.failover(t, clock)
	heard := [2]int64{r.finished[0].Load(), r.finished[1].Load()}
	eventually(t, "invalidations are confirmed again", func() bool { return r.finished[0].Load() > heard[0] && r.finished[1].Load() > heard[1] })
	stop()
	late := store(t, cache.Options{Redis: c.addrs(), Bus: wire})
	for name, s := range map[string]*cache.Store{"first": stores[0], "second": stores[1], "new": late} {
		f := cache.New[int64](s, "n", cache.FamilyOptions{})
		for k := range r.now {
			if v, src, err := f.Get(t.Context(), strconv.Itoa(k), r.load(k)); err != nil || v != r.now[k].Load() {
				t.Errorf("the %s process reads %d from %v (%v), written was %d", name, v, src, err, r.now[k].Load())
			}
		}
	}
}

// A real cluster under load: slots move, and a master dies. Reads go on and nothing stale is served; afterwards everything
// goes through Redis again.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	wire := &bus{}
	var stores []*cache.Store
	for range 2 {
		stores = append(stores, store(t, cache.Options{Redis: c.addrs(), Bus: wire}))
	}
	f := cache.New[string](stores[0], "row", cache.FamilyOptions{})
	var d db
	for i := range 200 { // over all slots
		d.set(strconv.Itoa(i), "v")
		get(t, f, &d, strconv.Itoa(i))
	}
	settled(t, stores[1], "row", "199", "v")
	var r rows
	stop := r.churn(t, stores)
	for k := range 20 { // the slots of what is read and written right now
		slot := c.slotOf(t, "stampede:v:n:"+strconv.Itoa(k))
		from := slot * 3 / slots
		c.move(t, slot, from, (from+1)%3)
	}
	if st := stores[0].Stats().L2; !st.Up {
		t.Errorf("moving slots drove us away: %+v", st)
	}
	clock := c.slotOf(t, "stampede:clock") * 3 / slots
	c.failover(t, (clock+1)%3) // not the clock's: its numbers are not durable, see TestClusterLosesItsClock
	eventually(t, "everything goes through Redis again", func() bool {
		if err := stores[1].Invalidate(t.Context(), []string{"1"}); err != nil {
			t.Log(err, stores[1].Stats().L2)
			return false
		}
		v, _, err := cache.New[int64](stores[0], "n", cache.FamilyOptions{}).Get(t.Context(), "1", r.load(1))
		return err == nil && v >= r.finished[1].Load() && stores[0].Stats().L2.Up && stores[1].Stats().L2.Up
	})
	stop()
	for i := range 200 {
		k := strconv.Itoa(i)
		d.set(k, "w")
		if err := stores[0].Invalidate(t.Context(), []string{k}); err != nil {
			t.Fatal(err)
		}
		if v, _ := get(t, f, &d, k); v != "w" {
			t.Fatalf("%s is %q", k, v)
		}
	}
	settled(t, stores[1], "row", "199", "w")
}
