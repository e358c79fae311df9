package loadsim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/stampede-shop/stampede/loadsim/scenario"
)

// discoverEach is how many categories and brands, and how many words, are noted at most.
const discoverEach = 500

// catalogue is what shoppers know of the shop before they come: its products, and where its lists are.
type catalogue struct {
	products []int64  // ids, popular ones first
	wanted   zipf     // how unequally
	hot      int64    // the id of the hot product
	lists    []string // paths of category and brand lists, popular ones first
	searches []string // paths of searches
}

// discover walks over the shop's products, as many as the scenario wants to be known.
func discover(ctx context.Context, cl *client, pop scenario.Popularity) (*catalogue, error) {
	defer cl.leave()
	cat := &catalogue{hot: pop.Product}
	seen := map[string]bool{}
	path := "/products?limit=100"
	for path != "" && len(cat.products) < pop.Products {
		res, err := cl.do(ctx, &call{method: http.MethodGet, path: path})
		if err != nil {
			return nil, unreachable(ctx, cl.base.String()+path, err)
		}
		if res.status != http.StatusOK {
			return nil, fmt.Errorf("%w: GET %s%s answered %d where a list of products was due: %s", ErrNotShop, cl.base, path, res.status, excerpt(res.body))
		}
		n, err := cat.learn(res.body, seen)
		if err != nil {
			return nil, fmt.Errorf("%w: GET %s%s did not answer a JSON array of products with id, name and price: %s", ErrNotShop, cl.base, path, excerpt(res.body))
		}
		next := nextPage(res.links)
		if n == 0 || next == path {
			break // a shop that pages in circles
		}
		path = next
		cl.letGo()
	}
	if len(cat.products) == 0 {
		return nil, fmt.Errorf("%w: load a catalogue first", ErrEmptyCatalogue)
	}
	cat.products = cat.products[:min(len(cat.products), pop.Products)]
	cat.wanted = newZipf(len(cat.products), pop.Skew())
	def(&cat.hot, cat.products[0])
	return cat, nil
}

func unreachable(ctx context.Context, url string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: GET %s: %w; is it running, and is the address right?", ErrUnreachable, url, err)
}

// learn takes products, categories, brands and words from one page.
func (c *catalogue) learn(body []byte, seen map[string]bool) (products int, err error) {
	s := scanner{b: body}
	err = s.array(func() error {
		var f facts
		p, err := s.product(&f)
		if err != nil {
			return err
		}
		products++
		c.products = append(c.products, p.id)
		c.note(&c.lists, seen, "category", f.category)
		c.note(&c.lists, seen, "brand", f.brand)
		for _, word := range strings.Fields(f.name) {
			if len(word) > 3 {
				c.note(&c.searches, seen, "q", word)
				break
			}
		}
		return nil
	})
	if err == nil && !s.end() {
		err = errors.New("more than an array")
	}
	return products, err
}

func (c *catalogue) note(list *[]string, seen map[string]bool, param, value string) {
	path := "/products?limit=20&" + param + "=" + url.QueryEscape(value)
	if value == "" || seen[path] || len(*list) >= discoverEach {
		return
	}
	seen[path] = true
	*list = append(*list, path)
}

// nextPage is the path and query of the Link with rel="next", "" when there is none.
func nextPage(links [][]byte) string {
	for _, line := range links {
		for rest := string(line); ; {
			open := strings.IndexByte(rest, '<')
			if open < 0 {
				break
			}
			end := strings.IndexByte(rest[open:], '>')
			if end < 0 {
				break
			}
			target := rest[open+1 : open+end]
			rest = rest[open+end+1:]
			params, _, _ := strings.Cut(rest, "<")
			if !strings.Contains(params, `rel="next"`) && !strings.Contains(params, "rel=next") {
				continue
			}
			if u, err := url.Parse(target); err == nil && strings.HasPrefix(u.Path, "/") {
				return u.RequestURI()
			}
		}
	}
	return ""
}
