package loadsim

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/stampede-shop/stampede/loadsim/scenario"
)

const frontList = "/products?limit=20"

// browse looks at lists: the front page first, then further pages, categories, brands and searches.
func (s *shopper) browse(ctx context.Context, lists int) {
	next := ""
	for i := 0; i < lists && !s.done(ctx); i++ {
		next, _ = s.list(ctx, s.choose(i, next))
	}
}

// list looks at one list. Of what is in it a few products are remembered, those at the top more often.
func (s *shopper) list(ctx context.Context, path string) (next string, products []product) {
	end := s.ask(ctx, stepBrowse, call{method: http.MethodGet, path: path}, func(res *response) verdict {
		if res.status != http.StatusOK {
			return verdict{fail: wrongStatus(res.status, res.body)}
		}
		var err error
		if products, err = s.known.read(res.body, parseList); err != nil {
			return verdict{fail: wrong(kindBody, "not a list of products: %s", excerpt(res.body))}
		}
		next = nextPage(res.links)
		return verdict{}
	})
	if end != served {
		return "", nil
	}
	for range min(seenEach, len(products)) {
		if len(s.seen) < maxSeen {
			s.seen = append(s.seen, products[place.draw(s.rng, len(products))])
		}
	}
	return next, products
}

// choose is the path of the next list.
func (s *shopper) choose(i int, next string) string {
	p := s.rng.Float64()
	switch {
	case i == 0:
		return frontList
	case next != "" && p < 0.35:
		return next
	case p < 0.45 && len(s.cat.searches) > 0:
		return s.cat.searches[place.draw(s.rng, len(s.cat.searches))]
	case p < 0.50:
		return frontList + "&sort=" + [...]string{"newest", "price", "-price", "rating"}[s.rng.IntN(4)]
	case p < 0.95 && len(s.cat.lists) > 0:
		return s.cat.lists[place.draw(s.rng, len(s.cat.lists))]
	default:
		return frontList
	}
}

// crawl goes through lists in their order and opens every product in them; from the beginning when there are no more.
func (s *shopper) crawl(ctx context.Context, lists int) {
	path := frontList
	for i := 0; i < lists && !s.done(ctx); i++ {
		next, products := s.list(ctx, path)
		for _, p := range products {
			if s.done(ctx) {
				return
			}
			s.open(ctx, p.id)
		}
		if path = next; path == "" {
			path = frontList
		}
	}
}

// look opens so many products.
func (s *shopper) look(ctx context.Context, views int, of string) {
	for i := 0; i < views && !s.done(ctx); i++ {
		s.open(ctx, s.want(of))
	}
}

// fromLists is the share of views that come out of a list somebody has just seen; the others come by a link, a mail or a
// search engine, to what is popular.
const fromLists = 0.5

// want is the product that is looked for.
func (s *shopper) want(of string) int64 {
	hot := float64(s.plan.Popularity.Hot)
	switch {
	case of == scenario.OfHot || of == "" && hot > 0 && s.rng.Float64() < hot:
		return s.cat.hot
	case len(s.seen) > 0 && (of == scenario.OfSeen || of == "" && s.rng.Float64() < fromLists):
		return s.seen[s.rng.IntN(len(s.seen))].id
	default:
		return s.cat.products[s.cat.wanted.draw(s.rng, len(s.cat.products))]
	}
}

// open looks at one product.
func (s *shopper) open(ctx context.Context, id int64) {
	c := call{method: http.MethodGet, path: "/products/" + strconv.FormatInt(id, 10)}
	s.ask(ctx, stepView, c, func(res *response) verdict { return s.checkProduct(res, id) })
}

func (s *shopper) checkProduct(res *response, id int64) verdict {
	switch res.status {
	case http.StatusOK:
	case http.StatusNotFound:
		return verdict{refusal: res.status} // it may have gone since the list was made
	default:
		return verdict{fail: wrongStatus(res.status, res.body)}
	}
	found, err := s.known.read(res.body, parseProduct)
	if err != nil || len(found) != 1 || found[0].id != id {
		return verdict{fail: wrong(kindBody, "not product %d: %s", id, excerpt(res.body))}
	}
	if len(s.viewed) < maxViewed && !slices.ContainsFunc(s.viewed, func(v product) bool { return v.id == id }) {
		s.viewed = append(s.viewed, found[0])
	}
	return verdict{}
}

// askStock asks how many of a product there are.
func (s *shopper) askStock(ctx context.Context, times int, of string) {
	for i := 0; i < times && !s.done(ctx); i++ {
		id := s.want(of)
		c := call{method: http.MethodGet, path: "/products/" + strconv.FormatInt(id, 10) + "/stock"}
		s.ask(ctx, stepStock, c, func(res *response) verdict {
			if res.status == http.StatusNotFound {
				return verdict{refusal: res.status}
			}
			if res.status != http.StatusOK {
				return verdict{fail: wrongStatus(res.status, res.body)}
			}
			if got, _, err := parseStock(res.body); err != nil || got != id {
				return verdict{fail: wrong(kindBody, "not the stock of product %d: %s", id, excerpt(res.body))}
			}
			return verdict{}
		})
	}
}

// get asks for any page.
func (s *shopper) get(ctx context.Context, path string) {
	c := call{method: http.MethodGet, path: path, accept: "text/html,*/*;q=0.8"}
	s.ask(ctx, stepPage, c, func(res *response) verdict {
		if res.status != http.StatusOK || len(res.body) == 0 {
			return verdict{fail: wrongStatus(res.status, res.body)}
		}
		return verdict{}
	})
}
