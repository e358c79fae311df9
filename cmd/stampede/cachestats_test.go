package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache"
)

func TestCacheStatsByTier(t *testing.T) {
	t.Parallel()
	family := func(l1 uint64) cache.FamilyStats {
		return cache.FamilyStats{Name: "product", L1Hits: l1, MissCold: 10, L2Hits: 4, L2Misses: 6, L2Refused: 1, Refused: 1, Loads: 6, LoadedKeys: 6, Saved: l1 + 4,
			L1Bytes: 3 << 20, L1MaxBytes: 64 << 20, BytesOut: 2048, BytesIn: 100, L2Time: cache.Latency{Count: 10, P50: time.Millisecond, P99: 4 * time.Millisecond}}
	}
	stats := map[string]cache.Stats{
		"api-1": {L2: cache.L2Stats{Configured: true, Up: true}, Families: []cache.FamilyStats{family(90), {Name: "session", L1Hits: 5}},
			Hot: []cache.HotKey{{Family: "product", Key: "7", Asked: 50}}, Advice: []cache.Advice{{Family: "list", Problem: "too broad", Help: "narrow it", Evidence: "3 of 4"}}},
		"api-2": {L2: cache.L2Stats{Configured: true, Pending: 3, Trips: 1}, Families: []cache.FamilyStats{family(70)},
			Hot: []cache.HotKey{{Family: "product", Key: "7", Asked: 20}, {Family: "product", Key: "8", Asked: 60}}},
	}
	show := func(byProcess bool) string {
		var out strings.Builder
		if err := printCaches(streams{Out: &out}, stats, byProcess); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(out.String()) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		return strings.Join(lines, "\n")
	}
	sum := show(false)
	for _, want := range []string{
		"L2: api-1 up, api-2 down (3 invalidations to be told) (left alone 1 times, 0 times messages were lost)",
		"product l1 180 88.9 % 0 0 160 0 6.0 MiB of 128.0 MiB - -",
		"product l2 20 40.0 % 0 2 8 0 4.0 KiB out, 200 B in 1ms 4ms",
		"product source 12 100.0 % 0 0 0 0 - - -",
		"all l1 185 89.2 %",
		"product 7 70", "product 8 60",
		"advice of api-1: list: too broad; narrow it (3 of 4)",
	} {
		if !strings.Contains(sum, want) {
			t.Errorf("%q is not in\n%s", want, sum)
		}
	}
	if strings.Index(sum, "session l1") > strings.Index(sum, "all l1") {
		t.Errorf("the sum is not at the end:\n%s", sum)
	}
	if each := show(true); !strings.Contains(each, "api-2, L2 down") || !strings.Contains(each, "product l1 80 87.5 %") {
		t.Errorf("by process:\n%s", each)
	}
}
