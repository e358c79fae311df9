package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

const (
	maxKeyLen       = 255
	defaultCurrency = "USD" // of an empty cart, and of a product that names none
)

func (a *api) cartRoutes() []route {
	cart := []answer{{status: 200, doc: "The cart as it now is", body: shop.Cart{}}}
	key := []param{idempotencyKey}
	return []route{
		{method: "GET", path: "/cart", id: "getCart", summary: "The cart, at present prices", access: shopper, answers: cart, handle: a.getCart},
		{method: "DELETE", path: "/cart", id: "clearCart", summary: "Empty the cart", access: shopper, params: key, answers: cart, codes: []shop.Code{shop.CodeIdempotencyMismatch}, handle: a.clearCart},
		{method: "POST", path: "/cart/add", id: "addToCart", summary: "Add units of a product", access: shopper, params: key,
			body: bodyOf[addInput](), answers: cart, codes: []shop.Code{shop.CodeNotFound, shop.CodeConflict, shop.CodeIdempotencyMismatch}, handle: a.addToCart},
		{method: "PATCH", path: "/cart/items/{product_id}", id: "setQuantity", summary: "Set a line's quantity", access: shopper, params: key,
			body: bodyOf[quantityInput](), answers: cart, codes: []shop.Code{shop.CodeConflict, shop.CodeIdempotencyMismatch}, handle: a.setQuantity},
		{method: "DELETE", path: "/cart/items/{product_id}", id: "removeFromCart", summary: "Remove a line", access: shopper, params: key,
			answers: cart, codes: []shop.Code{shop.CodeConflict, shop.CodeIdempotencyMismatch}, handle: a.removeLine},
	}
}

// key reads Idempotency-Key, "" when absent.
func (c *call) key() (string, error) {
	key := c.r.Header.Get("Idempotency-Key")
	if len(key) > maxKeyLen {
		return "", shop.Invalid("Idempotency-Key", "must have at most %d characters", maxKeyLen)
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			return "", shop.Invalid("Idempotency-Key", "must be printable ASCII")
		}
	}
	return key, nil
}

// op names this edit of a cart, so that a repetition of it (by the shopper's Idempotency-Key, or by the edge that did not get
// an answer) is done once. A key names one edit of this method and path: see [shop.CartStore]. "" when nothing names it.
func (c *call) op() (string, error) {
	key, err := c.key()
	if err != nil || key == "" {
		return c.opOn(string(c.body))
	}
	return digest(key, c.r.Method, c.r.URL.Path)[:16] + "/" + digest(string(c.body))[:16], nil
}

// opOn is op for what is no edit of a cart: the same key on another content names something else.
func (c *call) opOn(content string) (string, error) {
	key, err := c.key()
	if err != nil {
		return "", err
	}
	if key == "" {
		if key = c.r.Header.Get("Stampede-Op"); key == "" {
			return "", nil
		}
		key = "edge " + key
	}
	return digest(key, c.r.Method, c.r.URL.Path, content)[:32], nil
}

// digest is 64 hex digits.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (a *api) cart(c *call, cart shop.Cart, err error) error {
	if err != nil {
		return err
	}
	cart.Sum()
	if cart.UpdatedAt.IsZero() { // a cart nothing was put into yet
		cart.UpdatedAt = a.Now().Truncate(time.Microsecond)
	}
	cart.UpdatedAt = cart.UpdatedAt.UTC()
	if cart.ID == "" {
		cart.ID = c.session.UserID
	}
	if cart.Currency == "" {
		cart.Currency = defaultCurrency
	}
	return c.json(http.StatusOK, cart)
}

func (a *api) getCart(c *call) error {
	cart, err := a.Carts.Cart(c.ctx(), c.session.UserID)
	if err == nil {
		cart, err = a.reprice(c, cart)
	}
	return a.cart(c, cart, err)
}

// reprice brings name, SKU and price up to date. A cart is worth showing even when the catalogue cannot be read.
func (a *api) reprice(c *call, cart shop.Cart) (shop.Cart, error) {
	if len(cart.Items) == 0 {
		return cart, nil
	}
	ids := make([]int64, len(cart.Items))
	for i, l := range cart.Items {
		ids[i] = l.ProductID
	}
	products, err := a.Products.Products(c.ctx(), ids)
	if err != nil {
		a.Log.WarnContext(c.ctx(), "cart shown without a look at prices", "error", err)
		return cart, nil
	}
	byID := make(map[int64]shop.Product, len(products))
	for _, p := range products {
		byID[p.ID] = p
	}
	var changed []shop.Line
	for _, l := range cart.Items {
		p, ok := byID[l.ProductID]
		if ok && (p.Price != l.UnitPrice || p.Name != l.Name || p.SKU != l.SKU) {
			changed = append(changed, shop.LineOf(p, l.Quantity))
		}
	}
	if len(changed) == 0 {
		return cart, nil
	}
	return a.Carts.Reprice(c.ctx(), c.session.UserID, changed)
}

func (a *api) clearCart(c *call) error {
	op, err := c.op()
	if err != nil {
		return err
	}
	cart, err := a.Carts.Clear(c.ctx(), c.session.UserID, op)
	return a.cart(c, cart, err)
}

func (a *api) addToCart(c *call) error {
	in, err := decode[addInput](c)
	if err != nil {
		return err
	}
	op, err := c.op()
	if err != nil {
		return err
	}
	if err := shop.Held(c.r.Header.Get(shop.HeaderHold), in.ProductID); err != nil {
		return err
	}
	p, err := a.Products.Product(c.ctx(), in.ProductID)
	if err != nil {
		return err
	}
	quantity := int64(1)
	if in.Quantity != nil {
		quantity = *in.Quantity
	}
	cart, err := a.Carts.AddLine(c.ctx(), c.session.UserID, op, shop.LineOf(p, quantity), p.Currency)
	return a.cart(c, cart, err)
}

func (a *api) setQuantity(c *call) error {
	in, err := decode[quantityInput](c)
	if err != nil {
		return err
	}
	return a.set(c, in.Quantity)
}

func (a *api) removeLine(c *call) error { return a.set(c, 0) }

func (a *api) set(c *call, quantity int64) error {
	id, err := c.id("product_id", "cart line of product")
	if err != nil {
		return err
	}
	op, err := c.op()
	if err != nil {
		return err
	}
	cart, err := a.Carts.SetQuantity(c.ctx(), c.session.UserID, op, id, quantity)
	return a.cart(c, cart, err)
}
