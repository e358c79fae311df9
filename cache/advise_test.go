package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// Families that suffer in different ways, and what the advisor says of each, from what really happened.
func TestAdvice(t *testing.T) {
	t.Parallel()
	s := store(t, cache.Options{})
	ask := func(f *cache.Family[string], key string, tags ...string) {
		t.Helper()
		if _, _, err := f.Get(t.Context(), key, func(context.Context) (string, []string, error) { return strings.Repeat("x", 500), tags, nil }); err != nil {
			t.Fatal(err)
		}
	}
	good := cache.New[string](s, "good", cache.FamilyOptions{})
	broad := cache.New[string](s, "broad", cache.FamilyOptions{})
	small := cache.New[string](s, "small", cache.FamilyOptions{L1Bytes: 20_000})
	short := cache.New[string](s, "short", cache.FamilyOptions{TTL: time.Nanosecond, StaleFor: 0, FailSafe: time.Hour})
	once := cache.New[string](s, "once", cache.FamilyOptions{})
	broken := cache.New[string](s, "broken", cache.FamilyOptions{})
	for i := range 3000 {
		ask(good, "k", "good")
		ask(broad, "k", "everything")
		if err := s.Invalidate(t.Context(), []string{"everything"}); err != nil {
			t.Fatal(err)
		}
		ask(small, fmt.Sprint(i%500))
		ask(short, "k")
		ask(once, fmt.Sprint(i))
		_, _, _ = broken.Get(t.Context(), "k", func(context.Context) (string, []string, error) { return "", nil, errors.New("boom") })
	}
	got := map[string]string{}
	for _, a := range s.Stats().Advice {
		got[a.Family+"/"+a.Problem] = a.Help + " because " + a.Evidence
	}
	for about, must := range map[string]string{"broad/values are invalidated": `"everything"`, "small/memory is too small": "20000",
		"short/values expire": "TTL", "once/keys are seldom": "coarser", "broken/loads fail": "3000 of 3000"} {
		found := false
		for k, v := range got {
			found = found || strings.HasPrefix(k, about) && strings.Contains(v, must)
		}
		if !found {
			t.Errorf("nothing says %q with %q: %v", about, must, got)
		}
	}
	for k := range got {
		if strings.HasPrefix(k, "good/") {
			t.Errorf("fault found with what is good: %s", k)
		}
	}
	if tags := s.Stats().Costly; len(tags) == 0 || tags[0].Tag != "everything" {
		t.Errorf("costly tags: %v", tags)
	}
}

func TestHotKeysAreFound(t *testing.T) {
	t.Parallel()
	s := store(t, cache.Options{})
	f := cache.New[string](s, "row", cache.FamilyOptions{})
	for i := range 200 {
		if _, _, err := f.Get(t.Context(), fmt.Sprint(i), value("v")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100_000 {
		key := "7"
		if i%10 == 0 {
			key = fmt.Sprint(i % 200)
		}
		if _, ok := f.Peek(key); !ok {
			t.Fatal("not there")
		}
	}
	hot := s.Stats().Hot
	if len(hot) == 0 || hot[0].Key != "7" || hot[0].Family != "row" || hot[0].Asked < 50_000 || hot[0].Asked > 110_000 {
		t.Errorf("%v", hot)
	}
	if l := s.Stats().Families[0].L1Time; l.Count < 90_000 || l.P50 == 0 {
		t.Errorf("%+v", l)
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	f := cache.New[string](a, "row", cache.FamilyOptions{})
	for i := range 5 {
		if err := f.Set(t.Context(), fmt.Sprint(i), "v", "even"[:4*(1-i%2)]+"all", "all:keys"); err != nil {
			t.Fatal(err)
		}
	}
	list := func(s *cache.Store, tag string, limit int) string {
		t.Helper()
		got, err := s.Covers(t.Context(), tag, limit)
		if err != nil {
			t.Fatal(err)
		}
		keys := map[string]bool{}
		for _, c := range got {
			keys[c.Tier+" "+c.Family+" "+c.Key] = true
		}
		return fmt.Sprint(keys)
	}
	if got := list(b, "evenall", 100); got != "map[l2 row 0:true l2 row 2:true l2 row 4:true]" {
		t.Errorf("in Redis: %s", got)
	}
	if got := list(a, "all", 2); got != "map[l1 row 1:true l1 row 3:true]" {
		t.Errorf("at most two: %s", got)
	}
	if err := b.Invalidate(t.Context(), []string{"evenall"}); err != nil {
		t.Fatal(err)
	}
	if got := list(a, "evenall", 100); got != "map[]" {
		t.Errorf("after the invalidation: %s", got)
	}
}
