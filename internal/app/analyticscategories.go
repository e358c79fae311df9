package app

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/shop"
)

// productReader reads products by id.
type productReader interface {
	Products(ctx context.Context, ids []int64) ([]shop.Product, error)
}

// categories knows which category a product is in, for events that do not say. What is not known yet is asked for in the background:
// the first event of a product goes without.
type categories struct {
	catalog productReader
	log     *slog.Logger
	wake    chan struct{}

	mu     sync.RWMutex
	known  map[int64]string // "" is known not to be there
	wanted map[int64]bool
}

const (
	maxCategories   = 1 << 20
	askedCategories = 500
	categoriesAge   = 10 * time.Minute // after which they are asked for anew
)

func newCategories(catalog productReader, log *slog.Logger) *categories {
	return &categories{catalog: catalog, log: log, wake: make(chan struct{}, 1), known: map[int64]string{}, wanted: map[int64]bool{}}
}

// enrich fills in categories. A nil receiver leaves events as they are.
func (c *categories) enrich(b *analytics.Batch) {
	if c == nil {
		return
	}
	c.mu.RLock()
	var missing []int64
	for i, p := range b.Products {
		if p == 0 || b.Categories[i] != 0 {
			continue
		}
		if name, ok := c.known[p]; ok {
			b.Categories[i] = b.Word(name)
		} else if len(missing) < askedCategories {
			missing = append(missing, p)
		}
	}
	c.mu.RUnlock()
	if len(missing) > 0 {
		c.want(missing)
	}
}

func (c *categories) want(ids []int64) {
	c.mu.Lock()
	for _, id := range ids {
		if len(c.wanted) < askedCategories {
			c.wanted[id] = true
		}
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run asks for what is wanted until ctx ends.
func (c *categories) run(ctx context.Context) {
	old := time.NewTicker(categoriesAge)
	defer old.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-old.C:
			c.mu.Lock()
			clear(c.known)
			c.mu.Unlock()
		case <-c.wake:
			if err := c.ask(ctx); err != nil && ctx.Err() == nil {
				c.log.Debug("categories of products are not known", "error", err)
			}
		}
	}
}

func (c *categories) ask(ctx context.Context) error {
	c.mu.Lock()
	ids := make([]int64, 0, len(c.wanted))
	for id := range c.wanted {
		ids = append(ids, id)
	}
	clear(c.wanted)
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	products, err := c.catalog.Products(ctx, ids)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) > maxCategories {
		clear(c.known)
	}
	for _, id := range ids {
		c.known[id] = ""
	}
	for _, p := range products {
		if len(p.Category) <= analytics.MaxText {
			c.known[p.ID] = strings.Clone(p.Category)
		}
	}
	return nil
}
