package shard_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stampede-shop/stampede/shard"
	"pgregory.net/rapid"
)

func TestRangeMap(t *testing.T) {
	t.Parallel()
	m, err := shard.NewRangeMap(shard.Range{From: "n", Shard: "c"}, shard.Range{Shard: "a"}, shard.Range{From: "g", Shard: "b"}, shard.Range{From: "t", Shard: "a"})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"0": "a", "fig": "a", "g": "b", "mango": "b", "n": "c", "szz": "c", "t": "a", "\xff": "a"} {
		if got := owner(t, m, key); got != want {
			t.Errorf("Locate(%q) = %s, want %s", key, got, want)
		}
	}
	if ids := fmt.Sprint(m.IDs()); ids != "[a b c]" {
		t.Errorf("IDs = %s", ids)
	}
	if _, err := m.Locate(""); !errors.Is(err, shard.ErrEmptyKey) {
		t.Errorf("an empty key gave %v", err)
	}
	for name, bad := range map[string][]shard.Range{
		"a gap at the beginning": {{From: "b", Shard: "x"}}, "two at one place": {{Shard: "x"}, {Shard: "y"}}, "no id": {{From: ""}},
	} {
		if _, err := shard.NewRangeMap(bad...); !errors.Is(err, shard.ErrBadShard) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := shard.NewRangeMap(); !errors.Is(err, shard.ErrNoShards) {
		t.Errorf("no ranges: %v", err)
	}
}

// Whatever the ranges: a key belongs to the one with the greatest beginning that is not after it.
func TestRangeMapFollowsItsDefinition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ranges := []shard.Range{{Shard: "s"}}
		for i, from := range rapid.SliceOfNDistinct(rapid.StringN(1, 3, -1), 0, 6, rapid.ID[string]).Draw(t, "from") {
			ranges = append(ranges, shard.Range{From: from, Shard: fmt.Sprint("s", i)})
		}
		m, err := shard.NewRangeMap(ranges...)
		if err != nil {
			t.Fatalf("%v", err)
		}
		key := rapid.StringN(1, 4, -1).Draw(t, "key")
		best := ranges[0]
		for _, r := range ranges {
			if r.From <= key && r.From >= best.From {
				best = r
			}
		}
		if got := owner(t, m, key); got != best.Shard {
			t.Fatalf("Locate(%q) = %s, want %s", key, got, best.Shard)
		}
	})
}

func TestDirectoryPinsOverAnotherMap(t *testing.T) {
	t.Parallel()
	rest := four(t)
	d, err := shard.NewDirectory(rest, map[string]string{"alice": "vip", "ab": "shard3"}, shard.Span{From: "a", To: "ac", Shard: "shard4"}, shard.Span{From: "~", Shard: "tail"})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"alice": "vip", "ab": "shard3", "aa": "shard4", "a": "shard4", "ac": owner(t, rest, "ac"), "~~": "tail", "42": "shard2"} {
		if got := owner(t, d, key); got != want {
			t.Errorf("Locate(%q) = %s, want %s", key, got, want)
		}
	}
	if ids := fmt.Sprint(d.IDs()); ids != "[shard1 shard2 shard3 shard4 tail vip]" {
		t.Errorf("IDs = %s", ids)
	}
	if _, err := d.Locate(""); !errors.Is(err, shard.ErrEmptyKey) {
		t.Errorf("an empty key gave %v", err)
	}
	_, noMap := shard.NewDirectory(nil, nil)
	_, noID := shard.NewDirectory(rest, map[string]string{"k": ""})
	_, noKey := shard.NewDirectory(rest, map[string]string{"": "shard1"})
	_, backwards := shard.NewDirectory(rest, nil, shard.Span{From: "b", To: "a", Shard: "x"})
	if !errors.Is(noMap, shard.ErrNoShards) || !errors.Is(noID, shard.ErrBadShard) || !errors.Is(noKey, shard.ErrBadShard) || !errors.Is(backwards, shard.ErrBadShard) {
		t.Errorf("got %v, %v, %v, %v", noMap, noID, noKey, backwards)
	}
}
