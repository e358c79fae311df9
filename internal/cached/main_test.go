package cached_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/shop"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// bus delivers to every subscriber before Broadcast returns.
type bus struct {
	mu   sync.Mutex
	subs []func([]byte)
	fail error
}

func (b *bus) Broadcast(_ context.Context, data []byte) error {
	b.mu.Lock()
	err, subs := b.fail, slices.Clone(b.subs)
	b.mu.Unlock()
	if err != nil {
		return err
	}
	for _, s := range subs {
		s(data)
	}
	return nil
}

func (b *bus) Subscribe(fn func([]byte)) (func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs = append(b.subs, fn)
	return func() {}, nil
}

// processes makes n stores that share a Redis and a bus, as processes do.
func processes(t *testing.T, n int) ([]*cache.Store, *bus) {
	t.Helper()
	redis, wire := localtest.Redis(t).Addr, &bus{}
	stores := make([]*cache.Store, n)
	for i := range stores {
		s, err := cache.NewStore(cache.Options{Redis: []string{redis}, Bus: wire, Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		stores[i] = s
	}
	return stores, wire
}

// catalogue is a database of products that counts what it is asked.
type catalogue struct {
	shop.ProductWriter // only what a test needs is there
	mu                 sync.Mutex
	rows               map[int64]shop.Product
	asked              []string
	fail               error
}

func newCatalogue(ids ...int64) *catalogue {
	c := &catalogue{rows: map[int64]shop.Product{}}
	for _, id := range ids {
		c.rows[id] = shop.Product{ID: id, Name: fmt.Sprint("Product ", id), Version: 1, Attributes: json.RawMessage(`{"a":1}`),
			CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	}
	return c
}

func (c *catalogue) note(what string) error {
	c.asked = append(c.asked, what)
	return c.fail
}

func (c *catalogue) calls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

func (c *catalogue) Product(_ context.Context, id int64) (shop.Product, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.note(fmt.Sprint("one ", id)); err != nil {
		return shop.Product{}, err
	}
	p, ok := c.rows[id]
	if !ok {
		return p, shop.NotFound("product", id)
	}
	return p, nil
}

func (c *catalogue) Products(_ context.Context, ids []int64) (out []shop.Product, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err = c.note(fmt.Sprint("many ", ids))
	for _, id := range ids {
		if p, ok := c.rows[id]; ok {
			out = append(out, p)
		}
	}
	return out, err
}

func (c *catalogue) ListProducts(_ context.Context, q shop.ProductQuery) (page shop.ProductPage, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err = c.note("list " + q.Cursor)
	for _, id := range slices.Sorted(maps.Keys(c.rows)) {
		page.Products = append(page.Products, c.rows[id])
	}
	return page, err
}

func (c *catalogue) PatchProduct(_ context.Context, _ string, id int64, patch json.RawMessage, _ int64) (shop.Product, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return shop.Product{}, c.fail
	}
	p := c.rows[id]
	err := json.Unmarshal(patch, &p)
	p.Version++
	c.rows[id] = p
	return p, err
}

func (c *catalogue) CreateProduct(_ context.Context, _ string, n shop.NewProduct) (shop.Product, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := shop.Product{ID: int64(len(c.rows) + 1), Name: n.Name, Version: 1}
	c.rows[p.ID] = p
	return p, nil
}

func (c *catalogue) DeleteProduct(_ context.Context, _ string, id int64, _ int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.rows, id)
	return nil
}
