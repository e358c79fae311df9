package web

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/stampede-shop/stampede/internal/shop"
)

// fakeShop is the shop in memory: it stands in for every store the storefront uses. One lock over all of it.
type fakeShop struct {
	mu        sync.Mutex
	products  []shop.Product
	stock     map[int64]int64
	carts     map[string]shop.Cart
	orders    map[string]shop.Order
	checkouts map[string]shop.Checkout
	held      map[string][]shop.Line
	users     map[string]shop.NewUser
	sessions  map[string]bool
	claimed   map[string]string
	seenOps   map[string]bool
	keys      map[string]string
	broken    error // returned by catalogue reads
	stockDown error
}

func newFakeShop(products ...shop.Product) *fakeShop {
	f := &fakeShop{stock: map[int64]int64{}, carts: map[string]shop.Cart{}, orders: map[string]shop.Order{},
		checkouts: map[string]shop.Checkout{}, held: map[string][]shop.Line{}, users: map[string]shop.NewUser{},
		sessions: map[string]bool{}, claimed: map[string]string{}, seenOps: map[string]bool{}, keys: map[string]string{}}
	f.products = products
	for _, p := range products {
		f.stock[p.ID] = 1000
	}
	return f
}

func (f *fakeShop) lock() func() { f.mu.Lock(); return f.mu.Unlock }

func (f *fakeShop) Product(_ context.Context, id int64) (shop.Product, error) {
	defer f.lock()()
	for _, p := range f.products {
		if p.ID == id && f.broken == nil {
			return p, nil
		}
	}
	if f.broken != nil {
		return shop.Product{}, f.broken
	}
	return shop.Product{}, shop.NotFound("product", id)
}

func (f *fakeShop) Products(ctx context.Context, ids []int64) ([]shop.Product, error) {
	var out []shop.Product
	for _, id := range ids {
		p, err := f.Product(ctx, id)
		if shop.CodeOf(err) == shop.CodeNotFound {
			continue
		} else if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (f *fakeShop) ListProducts(_ context.Context, q shop.ProductQuery) (shop.ProductPage, error) {
	defer f.lock()()
	if f.broken != nil {
		return shop.ProductPage{}, f.broken
	}
	var all []shop.Product
	for _, p := range f.products {
		in := q.Category == "" || p.Category == q.Category || strings.HasPrefix(p.Category, q.Category+"/")
		if in && passes(p, q) && strings.Contains(strings.ToLower(p.Name), strings.ToLower(q.Q)) {
			all = append(all, p)
		}
	}
	switch q.Sort {
	case shop.SortPrice:
		slices.SortStableFunc(all, func(a, b shop.Product) int { return int(a.Price - b.Price) })
	case shop.SortPriceDesc:
		slices.SortStableFunc(all, func(a, b shop.Product) int { return int(b.Price - a.Price) })
	case shop.SortNewest:
		slices.Reverse(all)
	}
	from := 0
	if q.Cursor != "" {
		var err error
		if from, err = strconv.Atoi(q.Cursor); err != nil || from > len(all) {
			return shop.ProductPage{}, shop.Invalid("cursor", "is not one of ours")
		}
	}
	page := shop.ProductPage{Products: all[from:min(from+q.Limit, len(all))]}
	if from+q.Limit < len(all) {
		page.Next = strconv.Itoa(from + q.Limit)
	}
	return page, nil
}

func (f *fakeShop) Available(_ context.Context, ids []int64) (map[int64]int64, error) {
	defer f.lock()()
	if f.stockDown != nil {
		return nil, f.stockDown
	}
	out := map[int64]int64{}
	for _, id := range ids {
		out[id] = f.stock[id]
	}
	return out, nil
}

func (f *fakeShop) Cart(_ context.Context, userID string) (shop.Cart, error) {
	defer f.lock()()
	return f.cart(userID), nil
}

func (f *fakeShop) cart(userID string) shop.Cart {
	c := f.carts[userID]
	c.ID, c.Items = userID, slices.Clone(c.Items)
	c.Sum()
	return c
}

// edit changes a cart once per op.
func (f *fakeShop) edit(userID, op string, change func(*shop.Cart) error) (shop.Cart, error) {
	defer f.lock()()
	c := f.cart(userID)
	if op != "" && f.seenOps[userID+op] {
		return c, nil
	}
	if err := change(&c); err != nil {
		return shop.Cart{}, err
	}
	c.Version++
	c.Sum()
	f.carts[userID], f.seenOps[userID+op] = c, true
	return c, nil
}

func (f *fakeShop) AddLine(_ context.Context, userID, op string, l shop.Line, currency string) (shop.Cart, error) {
	return f.edit(userID, op, func(c *shop.Cart) error {
		c.Currency = currency
		for i := range c.Items {
			if c.Items[i].ProductID == l.ProductID {
				if c.Items[i].Quantity+l.Quantity > shop.MaxLineQuantity {
					return shop.Invalid("quantity", "at most %d units of one product", shop.MaxLineQuantity)
				}
				c.Items[i].Quantity += l.Quantity
				return nil
			}
		}
		c.Items = append(c.Items, l)
		return nil
	})
}

func (f *fakeShop) SetQuantity(_ context.Context, userID, op string, productID, quantity int64) (shop.Cart, error) {
	return f.edit(userID, op, func(c *shop.Cart) error {
		i := slices.IndexFunc(c.Items, func(l shop.Line) bool { return l.ProductID == productID })
		if i < 0 {
			return shop.NotFound("line", productID)
		}
		if c.Items[i].Quantity = quantity; quantity == 0 {
			c.Items = slices.Delete(c.Items, i, i+1)
		}
		return nil
	})
}

func (f *fakeShop) Clear(_ context.Context, userID, op string) (shop.Cart, error) {
	return f.edit(userID, op, func(c *shop.Cart) error { c.Items = nil; return nil })
}

func (f *fakeShop) Reprice(_ context.Context, userID string, lines []shop.Line) (shop.Cart, error) {
	return f.edit(userID, "", func(c *shop.Cart) error {
		for _, l := range lines {
			for i := range c.Items {
				if c.Items[i].ProductID == l.ProductID {
					c.Items[i].UnitPrice = l.UnitPrice
				}
			}
		}
		return nil
	})
}

func (f *fakeShop) MergeCart(_ context.Context, guestID, userID string) error {
	defer f.lock()()
	c := f.cart(userID)
	c.Items = append(c.Items, f.carts[guestID].Items...)
	c.Currency = "USD"
	f.carts[userID] = c
	delete(f.carts, guestID)
	return nil
}
