package catalog

import (
	"iter"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Generator invents products. The same seed gives the same products: the n-th one does not depend on how many are asked
// for. Names, brands, categories (three levels), descriptions, attributes and ratings are plausible; prices are spread
// log-normally about what is usual for their category and end in 9 mostly; popularity follows Zipf's law, so that a few
// products draw most of the attention.
type Generator struct {
	// Seed chooses the catalogue; SKUs of different seeds differ.
	Seed uint64
	// Stock of each product in units; 0 means DefaultStock.
	Stock int64
}

// brandsPerLeaf is how many makers compete in one category.
const brandsPerLeaf = 14

// Items is the stream of the first n products.
func (g Generator) Items(n int) iter.Seq[shop.CatalogItem] {
	return func(yield func(shop.CatalogItem) bool) {
		for i := range n {
			if !yield(g.Item(i)) {
				return
			}
		}
	}
}

// Item is product number i, from 0.
func (g Generator) Item(i int) shop.CatalogItem {
	rng := rand.New(rand.NewPCG(g.Seed, uint64(i)))
	leaves := tree()
	at := int(math.Pow(rng.Float64(), 1.3) * float64(len(leaves))) // the first departments are somewhat larger
	l := &leaves[at]
	m := maker{rng: rng, leaf: l, noun: pick(rng, l.nouns), material: pick(rng, l.materials), colour: pick(rng, colours),
		quality: pick(rng, qualities), brand: brandOf(at, rng)}
	m.model = m.modelName()
	stock := g.Stock
	if stock == 0 {
		stock = DefaultStock
	}
	count := int64(math.Exp(rng.NormFloat64()*1.6 + 3))
	return shop.CatalogItem{Stock: stock, Product: shop.NewProduct{
		SKU:         g.sku(i),
		Name:        m.name(),
		Description: m.description(),
		Brand:       m.brand,
		Category:    l.path,
		Price:       m.price(),
		Currency:    "USD",
		Rating:      m.rating(),
		RatingCount: count,
		Popularity:  zipf(rng),
		Attributes:  m.attributes(),
	}}
}

func (g Generator) sku(i int) string {
	b := make([]byte, 0, 24)
	b = append(b, 'S')
	b = strconv.AppendUint(b, g.Seed, 36)
	b = append(b, '-')
	digits := strconv.Itoa(i + 1)
	for range 7 - len(digits) {
		b = append(b, '0')
	}
	return string(append(b, digits...))
}

// zipf draws a popularity so that the k-th largest of many is about 1/k of the largest.
func zipf(rng *rand.Rand) int64 {
	const scale, most = 10, 1_000_000_000
	return int64(min(most, scale/(1-rng.Float64())))
}

// brandOf picks one of a category's makers, the first ones more often; neighbouring categories share some.
func brandOf(leaf int, rng *rand.Rand) string {
	k := int(math.Pow(rng.Float64(), 2) * brandsPerLeaf)
	return brandName(uint64(leaf/3*5 + k))
}

// brandName is the n-th brand: made of syllables, the same for every seed.
func brandName(n uint64) string {
	h := (n + 1) * 0x9E3779B97F4A7C15
	h ^= h >> 29
	name := brandHeads[h%uint64(len(brandHeads))]
	name += brandTails[(h>>20)%uint64(len(brandTails))]
	if h>>40&7 == 0 {
		name += " " + brandKinds[(h>>44)%uint64(len(brandKinds))]
	}
	return name
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
