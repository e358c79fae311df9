package postgres_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

func line(id, quantity int64) shop.Line {
	return shop.Line{ProductID: id, SKU: fmt.Sprint("S", id), Name: fmt.Sprint("N", id), Quantity: quantity, UnitPrice: 10 * id}
}

func TestCart(t *testing.T) { bothWays(t, checkCart) }

func checkCart(t *testing.T, w *world) {
	t.Run("edits", func(t *testing.T) { cartEdits(t, w) })
	t.Run("operations are applied once", func(t *testing.T) { cartOps(t, w) })
	t.Run("limits", func(t *testing.T) { cartLimits(t, w) })
	t.Run("concurrent adds", func(t *testing.T) { cartConcurrent(t, w) })
	t.Run("merge", func(t *testing.T) { cartMerge(t, w) })
	t.Run("merge repeated after a crash", func(t *testing.T) { cartMergeCrash(t, w) })
}

func cartEdits(t *testing.T, w *world) {
	ctx, user := t.Context(), newID()
	c, err := w.Cart(ctx, user)
	check(t, err)
	if c.ID != user || c.Version != 0 || c.Items == nil || len(c.Items) != 0 {
		t.Fatalf("empty cart: %+v", c)
	}
	_, err = w.AddLine(ctx, user, "", line(7, 2), "USD")
	check(t, err)
	_, err = w.AddLine(ctx, user, "", line(3, 1), "USD")
	check(t, err)
	again := line(7, 1)
	again.UnitPrice, again.Name = 99, "new name"
	c, err = w.AddLine(ctx, user, "", again, "USD")
	check(t, err)
	if len(c.Items) != 2 || c.Items[0].ProductID != 7 || c.Items[0].Quantity != 3 || c.Items[0].Name != "new name" ||
		c.Subtotal != 3*99+30 || c.ItemCount != 4 || c.Version != 3 || c.Currency != "USD" || c.UpdatedAt.IsZero() {
		t.Fatalf("after adds: %+v", c)
	}
	c, err = w.SetQuantity(ctx, user, "", 7, 5)
	check(t, err)
	if c.Items[0].Quantity != 5 || c.Version != 4 {
		t.Fatalf("after set: %+v", c)
	}
	if c, err = w.SetQuantity(ctx, user, "", 7, 5); err != nil || c.Version != 4 {
		t.Fatalf("setting what is set: %+v, %v", c, err)
	}
	_, err = w.SetQuantity(ctx, user, "", 999, 1)
	wantCode(t, err, shop.CodeNotFound)
	_, err = w.SetQuantity(ctx, newID(), "", 7, 1)
	wantCode(t, err, shop.CodeNotFound)
	c, err = w.Reprice(ctx, user, []shop.Line{line(3, 1), {ProductID: 7, SKU: "x", Name: "y", UnitPrice: 1}})
	check(t, err)
	if c.Items[0].UnitPrice != 1 || c.Items[0].SKU != "x" || c.Items[0].Quantity != 5 || c.Version != 5 {
		t.Fatalf("after reprice: %+v", c)
	}
	if c, err = w.Reprice(ctx, user, []shop.Line{line(3, 1)}); err != nil || c.Version != 5 {
		t.Fatalf("reprice with nothing new: %+v, %v", c, err)
	}
	if c, err = w.SetQuantity(ctx, user, "", 7, 0); err != nil || len(c.Items) != 1 || c.Version != 6 {
		t.Fatalf("after removal: %+v, %v", c, err)
	}
	if c, err = w.Clear(ctx, user, ""); err != nil || len(c.Items) != 0 || c.Version != 7 {
		t.Fatalf("after clear: %+v, %v", c, err)
	}
	if c, err = w.Clear(ctx, user, ""); err != nil || c.Version != 7 {
		t.Fatalf("clearing an empty cart: %+v, %v", c, err)
	}
	if c, err = w.AddLine(ctx, user, "", line(1, 1), "EUR"); err != nil || c.Currency != "EUR" || c.Version != 8 {
		t.Fatalf("an empty cart takes another currency: %+v, %v", c, err)
	}
}

func cartOps(t *testing.T, w *world) {
	ctx, user := t.Context(), newID()
	for i := range 17 {
		_, err := w.AddLine(ctx, user, fmt.Sprint("op", i), line(1, 1), "USD")
		check(t, err)
	}
	for _, seen := range []string{"op1", "op16"} {
		c, err := w.AddLine(ctx, user, seen, line(1, 1), "USD")
		check(t, err)
		if c.ItemCount != 17 || c.Version != 17 {
			t.Fatalf("repeated %s: %+v", seen, c)
		}
	}
	if c, err := w.AddLine(ctx, user, "op0", line(1, 1), "USD"); err != nil || c.ItemCount != 18 {
		t.Fatalf("an op that fell out of the last 16 counts again: %+v, %v", c, err)
	}
	if c, err := w.Clear(ctx, user, "clear"); err != nil || c.ItemCount != 0 {
		t.Fatalf("%+v, %v", c, err)
	}
	_, err := w.AddLine(ctx, user, "after", line(1, 1), "USD")
	check(t, err)
	if c, err := w.Clear(ctx, user, "clear"); err != nil || c.ItemCount != 1 {
		t.Fatalf("repeated clear: %+v, %v", c, err)
	}
	if c, err := w.SetQuantity(ctx, user, "clear", 1, 9); err != nil || c.ItemCount != 1 {
		t.Fatalf("repeated op on another call: %+v, %v", c, err)
	}
	if c, err := w.AddLine(ctx, user, "name/a", line(1, 1), "USD"); err != nil || c.ItemCount != 2 {
		t.Fatalf("an op with a name: %+v, %v", c, err)
	}
	if c, err := w.AddLine(ctx, user, "name/a", line(1, 1), "USD"); err != nil || c.ItemCount != 2 {
		t.Fatalf("repeated op with a name: %+v, %v", c, err)
	}
	for what, edit := range map[string]func() (shop.Cart, error){
		"add":   func() (shop.Cart, error) { return w.AddLine(ctx, user, "name/b", line(1, 1), "USD") },
		"set":   func() (shop.Cart, error) { return w.SetQuantity(ctx, user, "name/b", 1, 9) },
		"clear": func() (shop.Cart, error) { return w.Clear(ctx, user, "name/b") },
	} {
		_, err := edit()
		wantCode(t, err, shop.CodeIdempotencyMismatch)
		if c, err := w.Cart(ctx, user); err != nil || c.ItemCount != 2 {
			t.Fatalf("%s under the name of another op: %+v, %v", what, c, err)
		}
	}
}

func cartLimits(t *testing.T, w *world) {
	ctx, user := t.Context(), newID()
	_, err := w.AddLine(ctx, user, "", line(1, 0), "USD")
	wantCode(t, err, shop.CodeInvalid)
	_, err = w.AddLine(ctx, user, "", line(1, shop.MaxLineQuantity), "USD")
	check(t, err)
	_, err = w.AddLine(ctx, user, "", line(1, 1), "USD")
	wantCode(t, err, shop.CodeInvalid)
	_, err = w.AddLine(ctx, user, "", line(2, 1), "EUR")
	wantCode(t, err, shop.CodeInvalid)
	_, err = w.SetQuantity(ctx, user, "", 1, shop.MaxLineQuantity+1)
	wantCode(t, err, shop.CodeInvalid)
	for i := range int64(shop.MaxCartLines - 1) {
		_, err = w.AddLine(ctx, user, "", line(100+i, 1), "USD")
		check(t, err)
	}
	_, err = w.AddLine(ctx, user, "", line(5000, 1), "USD")
	wantCode(t, err, shop.CodeInvalid)
	c, err := w.AddLine(ctx, user, "", line(100, 1), "USD")
	check(t, err)
	if len(c.Items) != shop.MaxCartLines || c.Version != shop.MaxCartLines+1 {
		t.Fatalf("%d lines, version %d", len(c.Items), c.Version)
	}
}

func cartConcurrent(t *testing.T, w *world) {
	ctx, user := t.Context(), newID()
	var wg sync.WaitGroup
	for i := range 24 { // 12 ops, each twice at once
		wg.Go(func() {
			if _, err := w.AddLine(ctx, user, fmt.Sprint(i/2), line(int64(1+i/2%4), 1), "USD"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c, err := w.Cart(ctx, user)
	check(t, err)
	if c.ItemCount != 12 || c.Version != 12 || len(c.Items) != 4 {
		t.Fatalf("%+v", c)
	}
}

func cartMerge(t *testing.T, w *world) {
	ctx, guest, user := t.Context(), newID(), newID()
	for _, l := range []shop.Line{line(1, 900), line(2, 1)} {
		_, err := w.AddLine(ctx, guest, "", l, "USD")
		check(t, err)
	}
	_, err := w.AddLine(ctx, user, "", line(1, 200), "USD")
	check(t, err)
	for range 2 {
		check(t, w.MergeCart(ctx, guest, user))
	}
	c, err := w.Cart(ctx, user)
	check(t, err)
	if len(c.Items) != 2 || c.Items[0].Quantity != shop.MaxLineQuantity || c.Items[1].Quantity != 1 || c.Version != 2 {
		t.Fatalf("%+v", c)
	}
	if c, err = w.Cart(ctx, guest); err != nil || len(c.Items) != 0 || c.Version != 3 {
		t.Fatalf("guest: %+v, %v", c, err)
	}
	// What the guest's last request still put into the cart follows with the next merge, and only that.
	_, err = w.AddLine(ctx, guest, "", line(2, 1), "USD")
	check(t, err)
	check(t, w.MergeCart(ctx, guest, user))
	if c, err = w.Cart(ctx, user); err != nil || c.Items[1].Quantity != 2 {
		t.Fatalf("%+v, %v", c, err)
	}
	check(t, w.MergeCart(ctx, newID(), user)) // a guest without a cart
}

// The export is made, its lines have arrived, but its row was not dropped: as after a crash between the two.
func cartMergeCrash(t *testing.T, w *world) {
	ctx, guest, user := t.Context(), newID(), newID()
	_, err := w.AddLine(ctx, guest, "", line(1, 3), "USD")
	check(t, err)
	check(t, w.MergeCart(ctx, guest, user))
	w.exec(t, guest, `INSERT INTO cart_exports (id, guest_id, user_id, lines, currency) OVERRIDING SYSTEM VALUE
		SELECT $3, $1, $2, '[{"product_id":1,"sku":"S1","name":"N1","quantity":3,"unit_price":10}]', 'USD'`, guest, user,
		w.count(t, user, `SELECT export_id FROM cart_imports WHERE user_id = $1`, user))
	check(t, w.MergeCart(ctx, guest, user))
	c, err := w.Cart(ctx, user)
	check(t, err)
	if c.ItemCount != 3 {
		t.Fatalf("merged twice: %+v", c)
	}
	if n := w.count(t, guest, `SELECT count(*) FROM cart_exports WHERE guest_id = $1`, guest); n != 0 {
		t.Fatalf("%d exports left", n)
	}
}
