package loadsim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Bounds of discovery.
const (
	discoverPages = 10
	discoverEach  = 500 // categories, brands and words at most
)

// catalogue is what shoppers know of the shop before they come: where its lists are.
type catalogue struct {
	lists    []string // paths of category and brand lists, popular ones first
	searches []string // paths of searches
}

// discover walks over the first pages of the shop's products.
func discover(ctx context.Context, cl *client) (*catalogue, error) {
	cat := &catalogue{}
	seen := map[string]bool{}
	path, products := "/products?limit=100", 0
	for range discoverPages {
		res, err := cl.do(ctx, call{method: http.MethodGet, path: path})
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, fmt.Errorf("%w: GET %s%s: %w; is it running, and is the address right?", ErrUnreachable, cl.base, path, err)
		}
		if res.status != http.StatusOK {
			return nil, fmt.Errorf("%w: GET %s%s answered %d where a list of products was due: %s", ErrNotShop, cl.base, path, res.status, excerpt(res.body))
		}
		n, err := cat.learn(res.body, seen)
		if err != nil {
			return nil, fmt.Errorf("%w: GET %s%s did not answer a JSON array of products with id, name and price: %s", ErrNotShop, cl.base, path, excerpt(res.body))
		}
		products += n
		if path = nextPage(res.header); path == "" {
			break
		}
	}
	if products == 0 {
		return nil, fmt.Errorf("%w: load a catalogue first", ErrEmptyCatalogue)
	}
	return cat, nil
}

// learn takes categories, brands and words from one page.
func (c *catalogue) learn(body []byte, seen map[string]bool) (products int, err error) {
	s := scanner{b: body}
	err = s.array(func() error {
		var f facts
		if _, err := s.product(&f); err != nil {
			return err
		}
		products++
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
func nextPage(h http.Header) string {
	for _, line := range h["Link"] {
		for rest := line; ; {
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
