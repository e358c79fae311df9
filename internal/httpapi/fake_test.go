package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// fakeShop is the shop in memory: just enough of every store to see what the API does with it.
type fakeShop struct {
	mu        sync.Mutex
	products  map[int64]shop.Product
	stock     map[int64]int64
	carts     map[string]shop.Cart
	ops       map[string]bool
	orders    map[string]shop.Order // by id
	users     map[string]shop.User
	hashes    map[string]string
	regOps    map[string]string // op → user id
	sessions  map[string]bool
	claimed   map[string]string
	checkouts map[string]shop.Checkout
	keys      map[string]string // user/key → order id
	keyHashes map[string][]byte
	fail      error // every call answers with it, when set
	nextID    int64
	edits     int
	clock     time.Time
	campaigns map[string]shop.Campaign
}

func newFake() *fakeShop {
	f := &fakeShop{products: map[int64]shop.Product{}, campaigns: map[string]shop.Campaign{}, stock: map[int64]int64{}, carts: map[string]shop.Cart{}, ops: map[string]bool{},
		orders: map[string]shop.Order{}, users: map[string]shop.User{}, hashes: map[string]string{}, regOps: map[string]string{},
		sessions: map[string]bool{}, claimed: map[string]string{}, checkouts: map[string]shop.Checkout{},
		keys: map[string]string{}, keyHashes: map[string][]byte{}, clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("CET", 3600))}
	for i := int64(1); i <= 5; i++ {
		f.products[i] = shop.Product{ID: i, SKU: fmt.Sprintf("SKU-%d", i), Name: fmt.Sprintf("Thing <%d> & more", i), Slug: "thing",
			Description: strings.Repeat("A thing that is described at length. ", 20), Category: "a/b", Brand: "Acme", Price: 100 * i,
			Currency: "USD", Rating: 4.5, Availability: shop.InStock, Version: i, CreatedAt: f.clock, UpdatedAt: f.clock}
		f.stock[i] = 100
	}
	f.nextID = 6
	return f
}

// lock also fails the call when the test wants that.
func (f *fakeShop) lock() error {
	f.mu.Lock()
	return f.fail
}

func (f *fakeShop) Product(_ context.Context, id int64) (shop.Product, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return shop.Product{}, err
	}
	if p, ok := f.products[id]; ok {
		return p, nil
	}
	return shop.Product{}, shop.NotFound("product", id)
}

func (f *fakeShop) Products(ctx context.Context, ids []int64) (out []shop.Product, err error) {
	for _, id := range ids {
		p, err := f.Product(ctx, id)
		if shop.CodeOf(err) == shop.CodeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	shop.Observe(ctx, "l1", "miss", 0)
	shop.Observe(ctx, "db", "replica-1", 1300*time.Microsecond)
	return out, nil
}

func (f *fakeShop) ListProducts(_ context.Context, q shop.ProductQuery) (page shop.ProductPage, err error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return page, err
	}
	after := int64(0)
	if q.Cursor != "" {
		if after, err = strconv.ParseInt(q.Cursor, 10, 64); err != nil {
			return page, shop.Invalid("cursor", "is not one of ours")
		}
	}
	for id := after + 1; id < f.nextID; id++ {
		p, ok := f.products[id]
		if !ok || q.MinPrice != nil && p.Price < *q.MinPrice || !strings.Contains(p.Name, q.Q) {
			continue
		}
		if len(page.Products) == q.Limit {
			page.Next = strconv.FormatInt(page.Products[q.Limit-1].ID, 10)
			break
		}
		page.Products = append(page.Products, p)
	}
	return page, nil
}

func (f *fakeShop) Facets(_ context.Context, q shop.ProductQuery) (shop.Facets, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return shop.Facets{}, err
	}
	c := shop.NewFacetCounts()
	for _, p := range f.products {
		if q.Brand == "" || q.Brand == p.Brand {
			c.Add(p.Category, p.Brand, p.Price, p.Availability, 1)
		}
	}
	return c.Facets(), nil
}

func (f *fakeShop) CreateProduct(_ context.Context, _ string, n shop.NewProduct) (shop.Product, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return shop.Product{}, err
	}
	for _, p := range f.products {
		if p.SKU == n.SKU {
			return shop.Product{}, shop.Errorf(shop.CodeSKUTaken, "another product has the SKU %s", n.SKU)
		}
	}
	p := productOf(f.nextID, 1, n)
	f.products[p.ID] = p
	f.nextID++
	return p, nil
}

func productOf(id, version int64, n shop.NewProduct) shop.Product {
	return shop.Product{ID: id, Version: version, SKU: n.SKU, Name: n.Name, Price: n.Price, Currency: "USD", Category: n.Category,
		Brand: n.Brand, Attributes: n.Attributes, Availability: shop.SoldOut}
}

// edit checks existence and version.
func (f *fakeShop) edit(id, ifVersion int64, change func(p shop.Product) shop.Product) (shop.Product, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return shop.Product{}, err
	}
	p, ok := f.products[id]
	if !ok {
		return p, shop.NotFound("product", id)
	}
	if ifVersion != 0 && ifVersion != p.Version {
		return p, shop.Errorf(shop.CodePreconditionFailed, "version %d is old", ifVersion)
	}
	f.edits++
	p = change(p)
	p.Version++
	f.products[id] = p
	return p, nil
}

func (f *fakeShop) ReplaceProduct(_ context.Context, _ string, id int64, n shop.NewProduct, v int64) (shop.Product, error) {
	return f.edit(id, v, func(p shop.Product) shop.Product { return productOf(id, p.Version, n) })
}

func (f *fakeShop) PatchProduct(_ context.Context, _ string, id int64, patch json.RawMessage, v int64) (shop.Product, error) {
	return f.edit(id, v, func(p shop.Product) shop.Product {
		if err := json.Unmarshal(patch, &p); err != nil {
			panic(err)
		}
		return p
	})
}

func (f *fakeShop) DeleteProduct(_ context.Context, _ string, id int64, v int64) error {
	_, err := f.edit(id, v, func(p shop.Product) shop.Product { return p })
	if err == nil {
		delete(f.products, id)
	}
	return err
}

func (f *fakeShop) Available(_ context.Context, ids []int64) (map[int64]int64, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return nil, err
	}
	out := map[int64]int64{}
	for _, id := range ids {
		out[id] = f.stock[id]
	}
	return out, nil
}

func (f *fakeShop) SetAvailable(_ context.Context, _ string, id, n int64) error {
	defer f.mu.Unlock()
	err := f.lock()
	f.stock[id] = n
	return err
}

func (f *fakeShop) Reserve(_ context.Context, r shop.Reservation) error {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return err
	}
	var short []shop.LineError
	for _, l := range r.Lines {
		if f.stock[l.ProductID] < l.Quantity {
			short = append(short, shop.LineError{ProductID: l.ProductID, Name: l.Name, Requested: l.Quantity, Available: f.stock[l.ProductID]})
		}
	}
	if len(short) > 0 {
		return &shop.Error{Code: shop.CodeOutOfStock, Lines: short}
	}
	for _, l := range r.Lines {
		f.stock[l.ProductID] -= l.Quantity
	}
	return nil
}

func (f *fakeShop) Commit(context.Context, string, []int64) error  { return nil }
func (f *fakeShop) Release(context.Context, string, []int64) error { return nil }
func (f *fakeShop) Return(context.Context, string, []int64) error  { return nil }

func (f *fakeShop) Cart(_ context.Context, user string) (shop.Cart, error) {
	return f.editCart(user, "", func(c *shop.Cart) error { return nil })
}

// editCart is every edit of a cart; lines keep their order.
func (f *fakeShop) editCart(user, op string, change func(c *shop.Cart) error) (shop.Cart, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return shop.Cart{}, err
	}
	c := f.carts[user]
	c.ID, c.Currency = user, "USD"
	c.Items = slices.Clone(c.Items)
	if name, _, keyed := strings.Cut(op, "/"); keyed && !f.ops[user+op] {
		if f.ops[user+name] {
			return c, shop.Errorf(shop.CodeIdempotencyMismatch, "another edit under the same key")
		}
		f.ops[user+name] = true
	}
	if op == "" || !f.ops[user+op] {
		if err := change(&c); err != nil {
			return c, err
		}
		f.ops[user+op] = op != ""
		c.Version++
	}
	c.Sum()
	f.carts[user] = c
	return c, nil
}

func (f *fakeShop) AddLine(_ context.Context, user, op string, l shop.Line, _ string) (shop.Cart, error) {
	return f.editCart(user, op, func(c *shop.Cart) error {
		i := slices.IndexFunc(c.Items, func(x shop.Line) bool { return x.ProductID == l.ProductID })
		if i >= 0 {
			l.Quantity += c.Items[i].Quantity
			c.Items[i] = l
		} else {
			c.Items = append(c.Items, l)
		}
		if l.Quantity > shop.MaxLineQuantity {
			return shop.Invalid("quantity", "makes more than %d units", shop.MaxLineQuantity)
		}
		return nil
	})
}

func (f *fakeShop) SetQuantity(_ context.Context, user, op string, id, n int64) (shop.Cart, error) {
	return f.editCart(user, op, func(c *shop.Cart) error {
		i := slices.IndexFunc(c.Items, func(x shop.Line) bool { return x.ProductID == id })
		if i < 0 {
			return shop.NotFound("cart line of product", id)
		}
		c.Items[i].Quantity = n
		c.Items = slices.DeleteFunc(c.Items, func(x shop.Line) bool { return x.Quantity == 0 })
		return nil
	})
}

func (f *fakeShop) Clear(_ context.Context, user, op string) (shop.Cart, error) {
	return f.editCart(user, op, func(c *shop.Cart) error { c.Items = nil; return nil })
}

func (f *fakeShop) Reprice(_ context.Context, user string, lines []shop.Line) (shop.Cart, error) {
	return f.editCart(user, "", func(c *shop.Cart) error {
		for i := range c.Items {
			for _, l := range lines {
				if l.ProductID == c.Items[i].ProductID {
					c.Items[i].Name, c.Items[i].UnitPrice = l.Name, l.UnitPrice
				}
			}
		}
		return nil
	})
}

func (f *fakeShop) MergeCart(ctx context.Context, guest, user string) error {
	from, err := f.Cart(ctx, guest)
	if err != nil {
		return err
	}
	for _, l := range from.Items {
		if _, err := f.AddLine(ctx, user, "", l, "USD"); err != nil {
			return err
		}
	}
	_, err = f.Clear(ctx, guest, "")
	return err
}

func (f *fakeShop) sameHash(k string, hash []byte) bool { return bytes.Equal(f.keyHashes[k], hash) }
