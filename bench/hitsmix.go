package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"sort"

	"github.com/jackc/pgx/v5"
	"gopkg.in/yaml.v3"
)

// hitsMix is what shoppers of a catalogue look at: every other time a product, as JSON or as a page, else a list. Which product and
// which list goes by Zipf's law with s = 1; what the catalogue calls popular has nothing to do with it.
type hitsMix struct {
	products []hitsProduct // by rank
	lists    []string      // by rank
	harmonic []float64     // harmonic[i] is 1 + 1/2 + … + 1/(i+1)

	popularProducts, popularLists int // so many of the first ranks draw popularShare of the requests
}

type hitsProduct struct {
	id   int64
	slug string
}

func (p hitsProduct) path() string { return fmt.Sprint("/products/", p.id) }
func (p hitsProduct) page() string { return fmt.Sprintf("/p/%d-%s", p.id, p.slug) }

// popularShare is the share of the requests for products, or for lists, that the popular among them draw.
const popularShare = 0.8

// learnMix reads a running platform's catalogue from a replica. Walking over it through the platform would fill the caches.
func learnMix(ctx context.Context, data string, seed uint64) (*hitsMix, error) {
	raw, err := os.ReadFile(filepath.Join(data, "run", "config.yaml"))
	if err != nil {
		return nil, err
	}
	var cfg struct {
		Catalog struct{ Primary string }
	}
	if err := yaml.Unmarshal(raw, &cfg); err != nil {
		return nil, err
	}
	db, err := pgx.Connect(ctx, cfg.Catalog.Primary)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	rows, err := db.Query(ctx, "SELECT id, slug, category, brand FROM products WHERE deleted_at IS NULL ORDER BY id")
	if err != nil {
		return nil, err
	}
	m, seen := &hitsMix{}, map[string]bool{}
	for rows.Next() {
		var p hitsProduct
		var category, brand string
		if err := rows.Scan(&p.id, &p.slug, &category, &brand); err != nil {
			return nil, err
		}
		m.products = append(m.products, p)
		for _, l := range []string{"/c/" + category, "/products?limit=20&category=" + url.QueryEscape(category), "/products?limit=20&brand=" + url.QueryEscape(brand)} {
			if !seen[l] {
				seen[l] = true
				m.lists = append(m.lists, l)
			}
		}
	}
	m.rank(rand.New(rand.NewPCG(seed, 0))) //nolint:gosec // a load
	return m, rows.Err()
}

// rank gives everything its place by chance.
func (m *hitsMix) rank(rng *rand.Rand) {
	rng.Shuffle(len(m.products), func(i, j int) { m.products[i], m.products[j] = m.products[j], m.products[i] })
	rng.Shuffle(len(m.lists), func(i, j int) { m.lists[i], m.lists[j] = m.lists[j], m.lists[i] })
	sum := 0.0
	for i := range max(len(m.products), len(m.lists)) {
		sum += 1 / float64(i+1)
		m.harmonic = append(m.harmonic, sum)
	}
	m.popularProducts, m.popularLists = m.head(len(m.products)), m.head(len(m.lists))
}

// head is how many of the first of n draw popularShare of the requests for the n.
func (m *hitsMix) head(n int) int {
	if n == 0 {
		return 0
	}
	return 1 + sort.SearchFloat64s(m.harmonic[:n], popularShare*m.harmonic[n-1])
}

// kinds of what is asked for.
const (
	kindList = iota
	kindPopularList
	kindProduct
	kindPopularProduct
	kinds
)

// draw is the next address, and its kind.
func (m *hitsMix) draw(rng *rand.Rand) (path string, kind int) {
	if rng.IntN(2) == 0 {
		i := m.zipf(rng, len(m.lists))
		if kind = kindList; i < m.popularLists {
			kind = kindPopularList
		}
		return m.lists[i], kind
	}
	i := m.zipf(rng, len(m.products))
	p := m.products[i]
	if kind = kindProduct; i < m.popularProducts {
		kind = kindPopularProduct
	}
	if rng.IntN(2) == 0 {
		return p.path(), kind
	}
	return p.page(), kind
}

// picker draws addresses, for one caller at a time.
func (m *hitsMix) picker(seed uint64) func() string {
	rng := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a load
	return func() string {
		path, _ := m.draw(rng)
		return path
	}
}

// zipf draws one of n ranks.
func (m *hitsMix) zipf(rng *rand.Rand, n int) int {
	return min(sort.SearchFloat64s(m.harmonic[:n], rng.Float64()*m.harmonic[n-1]), n-1)
}

func (m *hitsMix) String() string {
	return fmt.Sprintf("%d products, of which %d draw %.0f %% of the requests, and %d lists, of which %d do",
		len(m.products), m.popularProducts, 100*popularShare, len(m.lists), m.popularLists)
}
