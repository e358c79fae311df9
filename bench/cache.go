package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/stampede-shop/stampede/cache"
)

const (
	cacheKeys     = 100_000
	cacheRounds   = 60
	cacheTime     = 40 * time.Millisecond // short and many: what else the machine does meanwhile falls on all alike
	cacheSequence = 1 << 20
	cacheBatch    = 1 << 10 // hits between two looks at the clock
)

// benchCache measures a hit in L1 by the processor time it takes, of as many goroutines as there are cores, on keys of Zipf's law
// (1.01), reading what was found: Family.Get against the bare cache inside it, with the bound by weight, the expiry and the coarse
// clock that Family gives it. The details say how it is without expiry, by Peek, when a bus is asked whether it hears, and with a
// million keys.
func benchCache(ctx context.Context) (result, error) {
	b := newCacheBench(cacheKeys)
	defer b.close()
	each, err := b.compare(ctx, cacheRounds, []hitWay{{"get", b.get(b.family)}, {"otter", read(b.expiring)}, {"peek", b.peek},
		{"otter_without_expiry", read(b.forever)}, {"get_with_a_bus", b.get(b.joined)}})
	if err != nil {
		return result{}, err
	}
	allocs, anchorAllocs := b.allocations(b.get(b.family)), b.allocations(read(b.expiring))
	million, err := manyKeys(ctx)
	if err != nil {
		return result{}, err
	}
	ratio := median(each.ratios("get", "otter"))
	low, high := interval(each.ratios("get", "otter"))
	fmt.Fprintf(os.Stderr, "a hit takes %.1f ns, of otter %.1f ns: %.2f times as long (95 %%: %.2f to %.2f); with a million keys %.2f times; %.4f allocations, of otter %.4f\n",
		median(each["get"]), median(each["otter"]), ratio, low, high, million, allocs, anchorAllocs)
	return result{Unit: "ns CPU/hit", Ours: median(each["get"]), Anchor: median(each["otter"]), Ratio: ratio, Spread: spread(each["get"]),
		Runs: cacheRounds, Details: map[string]any{"keys": cacheKeys, "ratio_95": []float64{low, high}, "allocations": allocs, "anchor_allocations": anchorAllocs,
			"peek": median(each["peek"]), "otter_without_expiry": median(each["otter_without_expiry"]),
			"ratio_to_otter_without_expiry": median(each.ratios("get", "otter_without_expiry")), "with_a_bus": median(each["get_with_a_bus"]),
			"ratio_with_a_bus": median(each.ratios("get_with_a_bus", "otter")), "ratio_with_a_million_keys": million}}, nil
}

// manyKeys is the ratio with a million keys.
func manyKeys(ctx context.Context) (float64, error) {
	b := newCacheBench(10 * cacheKeys)
	defer b.close()
	each, err := b.compare(ctx, cacheRounds/3, []hitWay{{"get", b.get(b.family)}, {"otter", read(b.expiring)}})
	if err != nil {
		return 0, err
	}
	return median(each.ratios("get", "otter")), nil
}

// rounds are nanoseconds of a hit, by way, round by round.
type rounds map[string][]float64

// ratios are those of two ways within each round.
func (r rounds) ratios(a, b string) (out []float64) {
	for i, ns := range r[a] {
		out = append(out, ns/r[b][i])
	}
	return out
}

// compare has ways take turns; each is first as often as last.
func (b *cacheBench) compare(ctx context.Context, n int, ways []hitWay) (rounds, error) {
	each := rounds{}
	for i := range n + 2 { // the first two warm up
		for k := range ways {
			w := ways[(i+k)%len(ways)]
			ns, err := b.round(ctx, w.do)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.name, err)
			}
			if i >= 2 {
				each[w.name] = append(each[w.name], ns)
			}
		}
	}
	return each, nil
}

type cacheRow struct {
	ID   int64
	Name string
}

// hitWay is a way to read one key; nil when it is not there.
type hitWay struct {
	name string
	do   func(key string) *cacheRow
}

type cacheBench struct {
	stores            []*cache.Store
	family, joined    *cache.Family[*cacheRow]
	clock             *otter.CoarseClock
	expiring, forever *otter.Cache[string, *cacheRow]
	sequence          []string
	ids               []int64
}

// quietBus is a bus on which nobody speaks, which is asked whether it hears as the queue's is.
type quietBus struct{ born time.Time }

func (quietBus) Broadcast(context.Context, []byte) error     { return nil }
func (quietBus) Subscribe(func([]byte)) (func(), error)      { return func() {}, nil }
func (b quietBus) Live() bool                                { return time.Since(b.born) < 1000*time.Hour }
func neverLoad(context.Context) (*cacheRow, []string, error) { panic("a load of what is there") }

func newCacheBench(keys int) *cacheBench {
	b := &cacheBench{clock: otter.NewCoarseClock(10 * time.Millisecond)}
	weigh := func(string, *cacheRow) uint32 { return 200 }
	b.expiring = otter.Must(&otter.Options[string, *cacheRow]{MaximumWeight: 1 << 30, Weigher: weigh, Clock: b.clock,
		ExpiryCalculator: otter.ExpiryWriting[string, *cacheRow](time.Hour)})
	b.forever = otter.Must(&otter.Options[string, *cacheRow]{MaximumWeight: 1 << 30, Weigher: weigh})
	family := func(o cache.Options) *cache.Family[*cacheRow] {
		s, err := cache.NewStore(o)
		if err != nil {
			panic(err) // in memory there is nothing that can fail
		}
		b.stores = append(b.stores, s)
		return cache.New[*cacheRow](s, "row", cache.FamilyOptions{TTL: time.Hour, L1TTL: time.Hour, L1Bytes: 1 << 30})
	}
	b.family, b.joined = family(cache.Options{}), family(cache.Options{Bus: quietBus{time.Now()}})
	for i := range keys {
		key, row := strconv.Itoa(i), &cacheRow{ID: int64(i), Name: "product"}
		b.expiring.Set(key, row)
		b.forever.Set(key, row)
		for _, f := range []*cache.Family[*cacheRow]{b.family, b.joined} {
			_, _, _ = f.Get(context.Background(), key, func(context.Context) (*cacheRow, []string, error) { return row, []string{"p:" + key}, nil })
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(r, 1.01, 1, uint64(keys-1))
	for range cacheSequence {
		id := z.Uint64()
		b.sequence, b.ids = append(b.sequence, strconv.FormatUint(id, 10)), append(b.ids, int64(id))
	}
	return b
}

func (b *cacheBench) close() {
	for _, s := range b.stores {
		s.Close()
	}
	b.expiring.StopAllGoroutines()
	b.forever.StopAllGoroutines()
	b.clock.Stop()
}

func (b *cacheBench) get(f *cache.Family[*cacheRow]) func(string) *cacheRow {
	return func(key string) *cacheRow {
		v, _, _ := f.Get(context.Background(), key, neverLoad)
		return v
	}
}

func (b *cacheBench) peek(key string) *cacheRow {
	v, _ := b.family.Peek(key)
	return v
}

func read(c *otter.Cache[string, *cacheRow]) func(string) *cacheRow {
	return func(key string) *cacheRow {
		v, _ := c.GetIfPresent(key)
		return v
	}
}

var errNotThere = errors.New("a key is not there, or has another's value: there is nothing to compare")

// round is the processor time of one hit in nanoseconds, with every core busy.
func (b *cacheBench) round(ctx context.Context, hit func(string) *cacheRow) (float64, error) {
	before, end := cpuHere(), time.Now().Add(cacheTime)
	var total, wrong atomic.Int64
	var wg sync.WaitGroup
	for g := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			at, n, bad := g*cacheSequence/7, 0, 0
			for time.Now().Before(end) && ctx.Err() == nil {
				for range cacheBatch {
					if row := hit(b.sequence[at%cacheSequence]); row == nil || row.ID != b.ids[at%cacheSequence] {
						bad++
					}
					at++
				}
				n += cacheBatch
			}
			total.Add(int64(n))
			wrong.Add(int64(bad))
		})
	}
	wg.Wait()
	if wrong.Load() > 0 {
		return 0, errNotThere
	}
	return float64((cpuHere() - before).Nanoseconds()) / float64(max(total.Load(), 1)), ctx.Err()
}

// allocations are those of a hit; the policy's own work now and then is among them.
func (b *cacheBench) allocations(hit func(string) *cacheRow) float64 {
	const n = 1 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range n {
		hit(b.sequence[i%cacheSequence])
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / n
}
