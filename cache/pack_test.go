package cache_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// The same key under three looks of its type: each reads what its own kind wrote, and an invalidation reaches all.
func TestMixedVersionsLiveSideBySide(t *testing.T) {
	t.Parallel()
	type v1 struct{ Price int }
	type v2 struct{ Price string }
	type v3 struct {
		Price string
		Name  string `json:"n"`
	}
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	loads := map[string]int{}
	check := func(s *cache.Store) {
		t.Helper()
		one, err1 := read(t, s, loads, "v1", v1{7})
		two, err2 := read(t, s, loads, "v2", v2{"7 EUR"})
		three, err3 := read(t, s, loads, "v3", v3{"7 EUR", "Pot"})
		if err1 != nil || err2 != nil || err3 != nil || one.Price != 7 || two.Price != "7 EUR" || three.Name != "Pot" {
			t.Errorf("%v %v %v, %v %v %v", one, two, three, err1, err2, err3)
		}
	}
	eventually(t, "all are in L2", func() bool { n := len(fmt.Sprint(loads)); check(a); return n == len(fmt.Sprint(loads)) })
	before := fmt.Sprint(loads)
	eventually(t, "the other process reads all from L2", func() bool {
		check(b)
		again := fmt.Sprint(loads)
		defer func() { before = again }()
		return again == before
	})
	if err := cache.New[v2](a, "product", cache.FamilyOptions{}).Set(t.Context(), "k", v2{"8 EUR"}, "p"); err != nil {
		t.Fatal(err)
	}
	n := loads["v1"]
	if one, err := read(t, b, loads, "v1", v1{8}); err != nil || one.Price != 8 || loads["v1"] != n+1 {
		t.Errorf("another version got %v after a Set, %v", one, err)
	}
	if two, err := read(t, b, loads, "v2", v2{"wrong"}); err != nil || two.Price != "8 EUR" {
		t.Errorf("its own version got %v after a Set, %v", two, err)
	}
}

func read[V any](t *testing.T, s *cache.Store, loads map[string]int, name string, v V) (V, error) {
	got, _, err := cache.New[V](s, "product", cache.FamilyOptions{}).Get(t.Context(), "k", func(context.Context) (V, []string, error) {
		loads[name]++
		return v, []string{"p"}, nil
	})
	return got, err
}

// product is what a shop caches.
func product(r *rand.Rand) []byte {
	words := strings.Fields("stainless steel kettle with a wooden handle for induction and gas hobs dishwasher safe two litres made in Italy matt black")
	text := make([]string, 40)
	for i := range text {
		text[i] = words[r.IntN(len(words))]
	}
	data, _ := json.Marshal(map[string]any{"id": r.IntN(1e6), "sku": fmt.Sprintf("SKU-%06d", r.IntN(1e6)), "name": strings.Join(text[:4], " "),
		"description": strings.Join(text, " "), "brand": words[r.IntN(len(words))], "category": "home/kitchen/kettles", "price": r.IntN(20000),
		"currency": "EUR", "image_url": fmt.Sprintf("/images/%d.webp", r.IntN(1e6)), "rating": 4.5, "rating_count": r.IntN(1000),
		"attributes": map[string]any{"material": "steel", "volume_ml": r.IntN(3000), "colour": "black"}, "availability": "in_stock",
		"version": 1, "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z"})
	return data
}

func samples(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([][]byte, n)
	for i := range out {
		out[i] = product(r)
	}
	return out
}

func TestCompression(t *testing.T) {
	t.Parallel()
	redis := localtest.Redis(t).Addr
	dictionary, err := cache.TrainDictionary(samples(300), 40_001, 8<<10)
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("a long text ", 200)
	for name, c := range map[string]struct {
		dictionary []byte
		above      int
		packed     bool
	}{"default": {nil, 0, true}, "off": {nil, -1, false}, "dictionary": {dictionary, 100, true}, "too small": {nil, 1 << 20, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := func(o *cache.Options) { o.Prefix, o.Dictionary = name+":", c.dictionary }
			a, b, _ := pair(t, redis, o)
			f := cache.New[string](a, "text", cache.FamilyOptions{CompressAbove: c.above})
			if err := f.Set(t.Context(), "k", big); err != nil {
				t.Fatal(err)
			}
			want(t, cache.New[string](b, "text", cache.FamilyOptions{}), "k", big)
			st := a.Stats().Families[0]
			if packed := st.BytesOut < st.BytesRaw/2; packed != c.packed || st.BytesRaw != uint64(len(big)) {
				t.Errorf("%d bytes became %d", st.BytesRaw, st.BytesOut)
			}
			if c.dictionary == nil {
				return
			}
			stranger := store(t, cache.Options{Redis: []string{redis}, Prefix: name + ":"}) // it has no dictionary
			sf := cache.New[string](stranger, "text", cache.FamilyOptions{})
			if v, src, err := sf.Get(t.Context(), "k", value("loaded")); v != "loaded" || src != cache.Load || err != nil {
				t.Errorf("without the dictionary: %q from %v, %v", v, src, err)
			}
			if st := stranger.Stats().Families[0]; st.Unreadable == 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestBadDictionary(t *testing.T) {
	t.Parallel()
	if s, err := cache.NewStore(cache.Options{Dictionary: []byte("no dictionary")}); err == nil {
		s.Close()
		t.Error("accepted")
	}
	if _, err := cache.TrainDictionary(nil, 40_000, 1024); err == nil {
		t.Error("trained on nothing")
	}
}
