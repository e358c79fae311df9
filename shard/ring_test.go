package shard_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stampede-shop/stampede/shard"
	"pgregory.net/rapid"
)

func four(tb testing.TB) *shard.Ring {
	tb.Helper()
	r, err := shard.NewRing(shard.Info{ID: "shard1"}, shard.Info{ID: "shard2"}, shard.Info{ID: "shard3"}, shard.Info{ID: "shard4"})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func owner(tb interface{ Fatalf(string, ...any) }, m shard.Map, key string) string {
	id, err := m.Locate(key)
	if err != nil {
		tb.Fatalf("Locate(%q): %v", key, err)
	}
	return id
}

func TestKnownAnswers(t *testing.T) {
	t.Parallel()
	r := four(t)
	for key, want := range map[string]string{"alice": "shard1", "bob": "shard1", "42": "shard2"} {
		if got := owner(t, r, key); got != want {
			t.Errorf("Locate(%q) = %s, want %s", key, got, want)
		}
	}
	if _, err := r.Locate(""); !errors.Is(err, shard.ErrEmptyKey) {
		t.Errorf("an empty key gave %v, want ErrEmptyKey", err)
	}
}

type ringNode struct{ digest, id string }

func ringInfos(n int) (infos []shard.Info) {
	for i := range n {
		infos = append(infos, shard.Info{ID: fmt.Sprintf("shard%d", i+1)})
	}
	return infos
}

func nodesOf(shards []shard.Info) (nodes []ringNode) {
	for _, s := range shards {
		for i := range shard.VirtualNodes * max(s.Weight, 1) {
			sum := md5.Sum(fmt.Appendf(nil, "%s:%d", s.ID, i))
			nodes = append(nodes, ringNode{hex.EncodeToString(sum[:]), s.ID})
		}
	}
	slices.SortFunc(nodes, func(a, b ringNode) int { return strings.Compare(a.digest, b.digest) })
	return nodes
}

func scanFor(nodes []ringNode, key string) string {
	sum := md5.Sum([]byte(key))
	digest := hex.EncodeToString(sum[:])
	for _, n := range nodes {
		if n.digest >= digest {
			return n.id
		}
	}
	return nodes[0].id
}

// byDefinition is the ring as it is defined, on hex digests and with a scan.
func byDefinition(key string, shards []shard.Info) string { return scanFor(nodesOf(shards), key) }

func TestRingFollowsItsDefinition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9:]{1,6}`), 1, 5, rapid.ID[string]).Draw(t, "ids")
		var shards []shard.Info
		for _, id := range ids {
			shards = append(shards, shard.Info{ID: id, Weight: rapid.IntRange(0, 2).Draw(t, "weight")})
		}
		r, err := shard.NewRing(shards...)
		if err != nil {
			t.Fatalf("NewRing: %v", err)
		}
		for range 5 {
			key := rapid.StringN(1, 200, -1).Draw(t, "key")
			if got, want := owner(t, r, key), byDefinition(key, shards); got != want {
				t.Fatalf("Locate(%q) = %s, want %s", key, got, want)
			}
		}
	})
}

// One shard more among n, whatever their names and weights: it takes its share of the keys, and no key moves anywhere else.
func TestAddingAShardMovesKeysOnlyToIt(t *testing.T) {
	t.Parallel()
	const keys = 4000
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{3,8}`), 2, 12, rapid.ID[string]).Draw(t, "ids")
		infos, weights := make([]shard.Info, len(ids)), 0
		for i, id := range ids {
			infos[i] = shard.Info{ID: id, Weight: rapid.IntRange(1, 3).Draw(t, "weight")}
			weights += infos[i].Weight
		}
		added := infos[len(infos)-1]
		before, err1 := shard.NewRing(infos[:len(infos)-1]...)
		after, err2 := shard.NewRing(infos...)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatalf("%v", err)
		}
		salt := rapid.Uint64().Draw(t, "salt")
		moved := 0
		for i := range keys {
			key := fmt.Sprintf("%x-%d", salt, i)
			was, is := owner(t, before, key), owner(t, after, key)
			if was == is {
				continue
			}
			if moved++; is != added.ID {
				t.Fatalf("%q moved from %s to %s, which is not new", key, was, is)
			}
		}
		// 150 places a unit of weight scatter by about 1/sqrt(150) = 8 %; five times that, and the error of the sample, is never exceeded.
		share, want := float64(moved)/keys, float64(added.Weight)/float64(weights)
		if share < want*0.5 || share > want*1.5 {
			t.Fatalf("%.3f of the keys moved, want about %.3f", share, want)
		}
	})
}

func TestBadShards(t *testing.T) {
	t.Parallel()
	if _, err := shard.NewRing(); !errors.Is(err, shard.ErrNoShards) {
		t.Errorf("no shards: %v", err)
	}
	for name, infos := range map[string][]shard.Info{
		"empty id": {{ID: "a"}, {}}, "twice": {{ID: "a"}, {ID: "b"}, {ID: "a"}},
		"negative": {{ID: "a", Weight: -1}}, "too heavy": {{ID: "a", Weight: 1 << 30}},
	} {
		if _, err := shard.NewRing(infos...); !errors.Is(err, shard.ErrBadShard) {
			t.Errorf("%s: got %v, want ErrBadShard", name, err)
		}
	}
}

func TestOrderOfShardsDoesNotMatter(t *testing.T) {
	t.Parallel()
	a, b := shard.Info{ID: "a"}, shard.Info{ID: "b", Weight: 3}
	r1, _ := shard.NewRing(a, b)
	r2, _ := shard.NewRing(b, a)
	heavy := 0
	for i := range 4000 {
		key := fmt.Sprint(i)
		if owner(t, r1, key) != owner(t, r2, key) {
			t.Fatalf("%q depends on the order of the shards", key)
		}
		if owner(t, r1, key) == "b" {
			heavy++
		}
	}
	if heavy < 2600 || heavy > 3400 {
		t.Errorf("weight 3 of 4 got %d of 4000 keys", heavy)
	}
}

func TestLocateDoesNotAllocate(t *testing.T) {
	r := four(t)
	key := strings.Repeat("k", 100)
	if n := testing.AllocsPerRun(100, func() { _, _ = r.Locate(key) }); n != 0 {
		t.Errorf("Locate allocates %v times", n)
	}
}

// benchKeys are as long as user ids are, and many, so that no processor learns the way to each of them by heart.
var benchKeys = func() (keys [1024]string) {
	for i := range keys {
		keys[i] = fmt.Sprintf("0192f0c1-2d3e-7f80-9abc-%012x", uint64(i+1)*0x9e3779b97f4a7c15>>16)
	}
	return keys
}()

// lookups calls f with one key after another. Besides the time it reports the processor's time, which a busy machine makes little
// difference to.
func lookups(b *testing.B, f func(key string)) {
	b.ReportAllocs()
	before, i := processorTime(b), 0
	for b.Loop() {
		f(benchKeys[i%len(benchKeys)])
		i++
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(i), "cpu-ns/op")
}

func processorTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func ringOf(tb testing.TB, n int) *shard.Ring {
	tb.Helper()
	r, err := shard.NewRing(ringInfos(n)...)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func BenchmarkLocate(b *testing.B) {
	for _, n := range []int{4, 64} {
		r := ringOf(b, n)
		b.Run(fmt.Sprintf("shards=%d", n), func(b *testing.B) { lookups(b, func(key string) { _, _ = r.Locate(key) }) })
	}
	b.Run("digest-alone", func(b *testing.B) { // md5.Sum, and nothing looked up
		var sum [md5.Size]byte
		lookups(b, func(key string) {
			var buf [128]byte
			sum = md5.Sum(append(buf[:0], key...))
		})
		_ = sum
	})
}

// BenchmarkLinearScan is the ring as one would write it down: hex digests, and a scan for the first at or after the key's.
func BenchmarkLinearScan(b *testing.B) {
	for _, n := range []int{4, 64} {
		nodes := nodesOf(ringInfos(n))
		b.Run(fmt.Sprintf("shards=%d", n), func(b *testing.B) { lookups(b, func(key string) { _ = scanFor(nodes, key) }) })
	}
}
