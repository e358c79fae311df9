package shard_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/shard"
	"pgregory.net/rapid"
)

var errBoom = errors.New("boom")

func TestGatherPolicies(t *testing.T) {
	t.Parallel()
	c := cluster(t, shard.Options{Timeout: time.Minute})
	ask := func(ctx context.Context, n shard.Node) (string, error) {
		if n.ID == "shard2" {
			return "", errBoom
		}
		return "of " + n.ID, nil
	}
	for _, p := range []shard.Policy{shard.RequireAll, shard.BestEffort} {
		a, err := shard.Gather(t.Context(), c, p, ask)
		if (err != nil) != (p == shard.RequireAll) || a.Complete() || !errors.Is(a.Err(), errBoom) {
			t.Errorf("policy %d: %v, %v", p, a, err)
		}
		if len(a.All) != 3 || a.All[1] != (shard.Answer[string]{Shard: "shard3", Value: "of shard3"}) || len(a.Failures) != 1 || a.Failures[0].Shard != "shard2" {
			t.Errorf("policy %d: %+v", p, a)
		}
	}
	a, err := shard.Gather(t.Context(), c, shard.FailFast, func(ctx context.Context, n shard.Node) (int, error) {
		if n.ID == "shard2" {
			return 0, errBoom
		}
		<-ctx.Done() // ends only because the others are cancelled
		return 0, ctx.Err()
	})
	var e *shard.Error
	if !errors.Is(err, errBoom) || !errors.As(err, &e) || e.Shard != "shard2" || len(a.Failures) != 4 {
		t.Errorf("FailFast: %+v, %v", a, err)
	}
	_, err = shard.Gather(t.Context(), c, shard.BestEffort, func(context.Context, shard.Node) (int, error) { return 0, errBoom })
	if !errors.Is(err, errBoom) {
		t.Errorf("nobody answered: %v", err)
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	c := cluster(t, shard.Options{})
	total, err := shard.Sum(t.Context(), c, shard.BestEffort, func(_ context.Context, n shard.Node) (int64, error) {
		if n.ID == "shard4" {
			return 1000, errBoom
		}
		return int64(n.ID[5] - '0'), nil
	})
	if err != nil || total.Sum != 6 || total.Of != 3 || len(total.Failures) != 1 {
		t.Errorf("got %+v, %v", total, err)
	}
	if _, err := shard.Count(t.Context(), c, shard.RequireAll, "SELECT count(*) FROM t"); err == nil {
		t.Error("a count over servers that are not there succeeded")
	}
}

// sorted gives items and then err, unless it is nil.
func sorted(items []int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

func TestMergeIsASortOfEverythingUpToTheLimit(t *testing.T) {
	t.Parallel()
	c := cluster(t, shard.Options{})
	rapid.Check(t, func(t *rapid.T) {
		parts, all := map[string][]int{}, []int{}
		for i := range 4 {
			part := rapid.SliceOf(rapid.IntRange(0, 50)).Draw(t, "part")
			slices.Sort(part)
			parts[fmt.Sprintf("shard%d", i+1)] = part
			all = append(all, part...)
		}
		slices.Sort(all)
		limit := rapid.IntRange(0, 20).Draw(t, "limit")
		var got []int
		for v, err := range shard.Merge(context.Background(), c, shard.MergeOptions[int]{Compare: cmp.Compare[int], Limit: limit, Ahead: rapid.IntRange(0, 3).Draw(t, "ahead")},
			func(_ context.Context, n shard.Node) iter.Seq2[int, error] { return sorted(parts[n.ID], nil) }) {
			if err != nil {
				t.Fatalf("%v", err)
			}
			got = append(got, v)
		}
		if limit > 0 {
			all = all[:min(limit, len(all))]
		}
		if !slices.Equal(got, all) {
			t.Fatalf("got %v, want %v", got, all)
		}
	})
}

func TestMergeCancelsEarlyAndLeavesNobodyBehind(t *testing.T) {
	t.Parallel()
	c := cluster(t, shard.Options{})
	var open atomic.Int32
	endless := func(ctx context.Context, n shard.Node) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			open.Add(1)
			defer open.Add(-1)
			for i := 0; yield(i, nil); i++ {
			}
		}
	}
	for _, limit := range []int{10, 0} {
		n := 0
		for range shard.Merge(t.Context(), c, shard.MergeOptions[int]{Compare: cmp.Compare[int], Limit: limit}, endless) {
			if n++; n == 10 {
				break
			}
		}
		if n != 10 || open.Load() != 0 {
			t.Errorf("limit %d: %d items, %d producers left", limit, n, open.Load())
		}
	}
}

func TestMergeHidesNoFailure(t *testing.T) {
	t.Parallel()
	c := cluster(t, shard.Options{Timeout: 500 * time.Millisecond}) // for one of them too little, for the others much
	open := func(ctx context.Context, n shard.Node) iter.Seq2[int, error] {
		switch n.ID {
		case "shard1":
			return sorted([]int{1, 5}, errBoom)
		case "shard2":
			return sorted([]int{2, 0}, nil)
		case "shard3":
			return func(func(int, error) bool) { <-ctx.Done() }
		default:
			return sorted([]int{3, 9}, nil)
		}
	}
	merge := func(p shard.Policy) (got []int, errs map[string]error) {
		errs = map[string]error{}
		for v, err := range shard.Merge(t.Context(), c, shard.MergeOptions[int]{Compare: cmp.Compare[int], Policy: p}, open) {
			var e *shard.Error
			if errors.As(err, &e) {
				errs[e.Shard] = err
				continue
			}
			got = append(got, v)
		}
		return got, errs
	}
	got, errs := merge(shard.BestEffort)
	if !slices.Equal(got, []int{1, 2, 3, 5, 9}) || len(errs) != 3 || !errors.Is(errs["shard1"], errBoom) || !errors.Is(errs["shard2"], shard.ErrUnsorted) || errs["shard3"] == nil {
		t.Errorf("best effort: %v, %v", got, errs)
	}
	if got, errs := merge(shard.RequireAll); len(errs) != 1 || len(got) != 0 {
		t.Errorf("require all went on after its first failure: %v, %v", got, errs)
	}
}

func TestMergePassesPanicsOn(t *testing.T) {
	t.Parallel()
	c := cluster(t, shard.Options{})
	defer func() {
		if p, ok := recover().(*shard.Panic); !ok || p.Shard != "shard1" {
			t.Errorf("recovered %v", p)
		}
	}()
	for range shard.Merge(t.Context(), c, shard.MergeOptions[int]{Compare: cmp.Compare[int]}, func(_ context.Context, n shard.Node) iter.Seq2[int, error] {
		if n.ID == "shard1" {
			panic("oops")
		}
		return sorted(nil, nil)
	}) {
		t.Error("an item out of nothing")
	}
}
