package warming

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/cached"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

func TestWarmable(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]bool{
		"/": true, "/products": true, "/products?limit=5&q=lamp": true, "/products/42": true, "/products/42?fields=id": true, "/p/42-lamp": true, "/sale/night": true,
		"/c/home/lamps": true, "/c/home?sort=price": true, "/search?q=lamp": true, "/products/facets?brand=x": true,
		"/products/42/stock": false, "/products?cursor=abc": false, "/c/home?cursor=x": false, "/products/facets": false, "/search": false,
		"/cart": false, "/bag": false, "/account": false, "/orders/1": false, "/assets/x.css": false, "": false, "*": false, "http://evil/p/1": false,
	} {
		if got := Warmable(target); got != want {
			t.Errorf("%q: %v", target, got)
		}
	}
	for target, want := range map[string]int64{"/products/42": 42, "/products/42?fields=id": 42, "/p/42-a-lamp": 42, "/p/42": 42,
		"/products": 0, "/products/facets?x=1": 0, "/products/-1": 0, "/p/x": 0, "/c/42": 0, "/products/99999999999999999999": 0} {
		if id, ok := productOf(target); ok != (want > 0) || ok && id != want {
			t.Errorf("%q: %d, %v", target, id, ok)
		}
	}
	for target, want := range map[string]string{"/c/home/lamps": "home/lamps", "/c/a%20b/": "a b", "/products?limit=3&category=home%2Flamps": "home/lamps",
		"/products?q=x": "", "/p/1": "", "/c/%zz": "", "/products?category=%zz": ""} {
		if got := categoryOf(target); got != want {
			t.Errorf("%q: %q", target, got)
		}
	}
}

// shelf is a catalogue of a few products.
type shelf struct {
	shop.ProductReader
	mu    sync.Mutex
	asked []string
	rows  map[int64]shop.Product
	down  error
}

func (s *shelf) note(what string, ids ...int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, strings.TrimSpace(fmt.Sprint(what, ids)))
	return s.down
}

func (s *shelf) Products(_ context.Context, ids []int64) (out []shop.Product, err error) {
	err = s.note("products", ids...)
	for _, id := range ids {
		if p, ok := s.rows[id]; ok {
			out = append(out, p)
		}
	}
	return out, err
}

func (s *shelf) Offers(_ context.Context, ids []int64) (out []postgres.Offer, err error) {
	err = s.note("offers", ids...)
	for _, id := range ids {
		if p, ok := s.rows[id]; ok {
			out = append(out, postgres.Offer{ID: id, Slug: p.Slug, Category: p.Category, Price: p.Price, Margin: -1, Availability: p.Availability})
		}
	}
	return out, err
}

func (s *shelf) Popular(_ context.Context, category string, n int) (out []postgres.Ref, err error) {
	err = s.note("popular " + category)
	for id := range int64(100) {
		if p, ok := s.rows[id]; ok && len(out) < n && (category == "" || within(p.Category, category)) {
			out = append(out, postgres.Ref{ID: id, Slug: p.Slug})
		}
	}
	return out, err
}

func newShelf() *shelf {
	s := &shelf{rows: map[int64]shop.Product{}}
	for i, p := range []shop.Product{{Category: "a/b", Price: 100, Slug: "one"}, {Category: "a", Price: 200}, {Category: "z", Price: 10_000}, {Category: "z", Price: 1}} {
		p.ID, p.Name, p.Availability = int64(i+1), fmt.Sprint("Product ", i+1), shop.InStock
		s.rows[p.ID] = p
	}
	return s
}

// What earns more is worth more, within bounds; what is sold out less; what is in a campaign more, while it is on.
func TestWorth(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sold := s.rows[2]
	sold.Availability = shop.SoldOut
	s.rows[2] = sold
	now := time.Now()
	campaigns := []config.CampaignConfig{
		config.CampaignConfig{Name: "on", Start: now.Add(time.Minute), Products: []int64{1}, Categories: []string{"z"}, Boost: 3}.WithDefaults(),
		config.CampaignConfig{Name: "over", Start: now.Add(-25 * time.Hour), Products: []int64{1, 2}, Boost: 100}.WithDefaults(),
		config.CampaignConfig{Name: "far", Start: now.Add(25 * time.Hour), Products: []int64{1, 2}, Boost: 100}.WithDefaults(),
	}
	w := newWorth(s, 0.5, campaigns)
	got, err := w.Values(t.Context(), []string{"/products/1", "/p/1-one", "/products/2", "/products/3", "/products/4", "/c/z/deep", "/c/a", "/search?q=x"})
	want := map[string]float64{"/products/1": 0.75, "/p/1-one": 0.75, "/products/2": 0.125, "/products/3": 3 * 4 * 10_000.0 / 10_301, "/products/4": 0.75,
		"/c/z/deep": 3, "/c/a": 1}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v", got, err)
	}
	for k, v := range want {
		if d := got[k] - v; d > 1e-9 || d < -1e-9 {
			t.Errorf("%s: %v, want %v", k, got[k], v)
		}
	}
	if len(s.asked) != 1 {
		t.Errorf("asked %q", s.asked)
	}
	s.down = errors.New("down")
	if _, err := w.Values(t.Context(), []string{"/products/1"}); err == nil {
		t.Error("no error")
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	s := newShelf()
	list, err := candidates{s, false}.popular(t.Context(), time.Time{}, 4)
	var keys []string
	for _, it := range warm.Rank(list, nil, 100) {
		keys = append(keys, it.Key)
	}
	if want := []string{"/", "/products", "/products/1", "/products/2"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("%q, %v", keys, err)
	}
	c := config.CampaignConfig{Products: []int64{3}, Categories: []string{"a"}}
	keys, err = candidates{s, false}.campaign(t.Context(), c)
	if want := []string{"/products?category=a", "/c/a", "/products/3", "/products/1", "/products/2"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("%q, %v", keys, err)
	}
	keys, err = candidates{s, true}.campaign(t.Context(), c)
	if want := []string{"/products?category=a", "/c/a", "/products/3", "/p/3", "/products/1", "/p/1-one", "/products/2", "/p/2"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("%q, %v", keys, err)
	}
	s.down = errors.New("down")
	if _, err := (candidates{s, false}).campaign(t.Context(), c); err == nil {
		t.Error("no error")
	}
}

// Products are brought in by one statement whatever form they are asked for in, other addresses by asking for them; what is there
// costs nothing, what is gone is told, and a page that fails is an error.
func TestDataTier(t *testing.T) {
	t.Parallel()
	store, err := cache.NewStore(cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	db := newShelf()
	var pages []string
	d := &dataTier{products: cached.NewProducts(db, store, cached.Options{}), pages: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages = append(pages, r.RequestURI)
		switch r.URL.Path {
		case "/c/fresh":
			shop.Observe(r.Context(), "l1", "miss", 0)
			shop.Observe(r.Context(), "db", "replica-1", time.Millisecond)
		case "/c/gone":
			http.NotFound(w, r)
		case "/c/broken":
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte("page"))
	})}
	keys := []string{"/products/1", "/p/1-one", "/c/fresh", "/c/known", "/c/gone", "/products/9", "/products/2?fields=id", "://"}
	out, err := d.warm(t.Context(), keys)
	slices.Sort(out.Loaded)
	slices.Sort(out.Gone)
	if want := []string{"/c/fresh", "/p/1-one", "/products/1", "/products/2?fields=id"}; err != nil || !slices.Equal(out.Loaded, want) {
		t.Errorf("loaded %q, %v", out.Loaded, err)
	}
	if want := []string{"/c/gone", "/products/9", "://"}; !slices.Equal(out.Gone, want) {
		t.Errorf("gone %q", out.Gone)
	}
	if len(db.asked) != 1 || len(pages) != 3 {
		t.Errorf("the database was asked %q, pages %q", db.asked, pages)
	}
	if out, err = d.warm(t.Context(), []string{"/products/1", "/p/2"}); err != nil || len(out.Loaded)+len(out.Gone) != 0 || len(db.asked) != 1 {
		t.Errorf("again: %+v, %v, asked %q", out, err, db.asked)
	}
	if _, err = d.warm(t.Context(), []string{"/c/broken"}); err == nil || !strings.Contains(err.Error(), "/c/broken: 503") {
		t.Errorf("%v", err)
	}
	db.down = errors.New("down")
	if _, err = d.warm(t.Context(), []string{"/products/3"}); err == nil {
		t.Error("no error")
	}
}
