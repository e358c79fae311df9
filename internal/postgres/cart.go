package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// Cart implements shop.CartStore.
func (s *Shards) Cart(ctx context.Context, userID string) (cart shop.Cart, err error) {
	err = s.on(ctx, userID, func(ctx context.Context, n shard.Node) error {
		row, err := sharddb.New(n.Pool).ReadCart(ctx, userID)
		if errors.Is(err, pgx.ErrNoRows) {
			cart = shop.Cart{ID: userID}
			cart.Sum()
			return nil
		}
		if err != nil {
			return err
		}
		cart, err = toCart(userID, row)
		return err
	})
	return cart, err
}

// AddLine implements shop.CartStore.
func (s *Shards) AddLine(ctx context.Context, userID, op string, l shop.Line, currency string) (shop.Cart, error) {
	if l.Quantity < 1 || l.Quantity > shop.MaxLineQuantity {
		return shop.Cart{}, shop.Invalid("quantity", "must be 1 to %d", shop.MaxLineQuantity)
	}
	return s.edit(ctx, userID, op, func(ctx context.Context, p *pipe) {
		_, _ = p.AddLine(ctx, sharddb.AddLineParams{UserID: userID, Op: op, ProductID: l.ProductID, Sku: l.SKU,
			Name: l.Name, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Currency: currency,
			MaxQuantity: shop.MaxLineQuantity, MaxLines: shop.MaxCartLines})
	})
}

// SetQuantity implements shop.CartStore.
func (s *Shards) SetQuantity(ctx context.Context, userID, op string, productID, quantity int64) (shop.Cart, error) {
	if quantity < 0 || quantity > shop.MaxLineQuantity {
		return shop.Cart{}, shop.Invalid("quantity", "must be 0 to %d", shop.MaxLineQuantity)
	}
	cart, err := s.edit(ctx, userID, op, func(ctx context.Context, p *pipe) {
		_, _ = p.SetQuantity(ctx, sharddb.SetQuantityParams{UserID: userID, Op: op, ProductID: productID, Quantity: quantity})
	})
	if shop.CodeOf(err) == shop.CodeNotFound {
		return cart, shop.Errorf(shop.CodeNotFound, "the cart has no product %d: add it with POST /cart/add", productID)
	}
	return cart, err
}

// Clear implements shop.CartStore.
func (s *Shards) Clear(ctx context.Context, userID, op string) (shop.Cart, error) {
	return s.edit(ctx, userID, op, func(ctx context.Context, p *pipe) {
		_, _ = p.ClearCart(ctx, sharddb.ClearCartParams{UserID: userID, Op: op})
	})
}

// Reprice implements shop.CartStore.
func (s *Shards) Reprice(ctx context.Context, userID string, lines []shop.Line) (cart shop.Cart, err error) {
	cols := columnsOf(lines)
	err = s.on(ctx, userID, func(ctx context.Context, n shard.Node) error {
		p := newPipe()
		_ = p.RelaxCommit(ctx)
		_ = p.LockCart(ctx, userID)
		_ = p.RepriceCart(ctx, sharddb.RepriceCartParams{UserID: userID, ProductIds: cols.ids, Skus: cols.skus,
			Names: cols.names, UnitPrices: cols.prices})
		_, _ = p.ReadCart(ctx, userID)
		read := collect[sharddb.ReadCartRow](p)
		if err := p.send(ctx, n.Pool); err != nil {
			return err
		}
		cart, err = oneCart(userID, read)
		return err
	})
	return cart, err
}

// edit sends one edit. Losing up to a second of edits in a crash is accepted, so the commit does not wait for the disk.
func (s *Shards) edit(ctx context.Context, userID, op string, queue func(context.Context, *pipe)) (cart shop.Cart, err error) {
	err = s.following(ctx, userID, func(ctx context.Context, n shard.Node) error {
		return s.at(ctx, n, op != "", func(ctx context.Context, n shard.Node) (err error) {
			p := newPipe()
			_ = p.RelaxCommit(ctx)
			_ = p.EnsureCart(ctx, userID)
			_ = p.LockCart(ctx, userID)
			queue(ctx, p)
			verdict := collectValues[string](p)
			_, _ = p.ReadCart(ctx, userID)
			read := collect[sharddb.ReadCartRow](p)
			if err := p.send(ctx, n.Pool); err != nil {
				return err
			}
			if cart, err = oneCart(userID, read); err != nil {
				return err
			}
			return refusal(verdict, cart)
		})
	})
	return cart, err
}

// refusal is the error for a verdict of an edit; nil when it was made or needed not be.
func refusal(verdict *rows[string], cart shop.Cart) error {
	if len(verdict.all) != 1 {
		return fmt.Errorf("postgres: %d verdicts on one cart edit", len(verdict.all))
	}
	switch v := verdict.all[0]; v {
	case "ok", "seen", "same":
		return nil
	case "other":
		return keyMismatch()
	case "missing":
		return shop.NotFound("cart line", "")
	case "quantity":
		return shop.Invalid("quantity", "the cart would hold more than %d of this product: order them in two carts",
			shop.MaxLineQuantity)
	case "lines":
		return shop.Invalid("product_id", "the cart is full: it holds %d different products at most", shop.MaxCartLines)
	case "currency":
		return shop.Invalid("product_id", "it is not sold in %s, the currency of the cart: buy or empty the cart first",
			cart.Currency)
	default:
		return fmt.Errorf("postgres: verdict %q on a cart edit", v)
	}
}

// oneCart is the cart of a ReadCart in a pipe, an empty one when there is none.
func oneCart(userID string, read *rows[sharddb.ReadCartRow]) (shop.Cart, error) {
	if len(read.all) == 0 {
		cart := shop.Cart{ID: userID}
		cart.Sum()
		return cart, nil
	}
	return toCart(userID, read.all[0])
}

func toCart(userID string, r sharddb.ReadCartRow) (shop.Cart, error) {
	cart := shop.Cart{ID: userID, Currency: r.Currency, Version: r.Version, UpdatedAt: timeOf(r.UpdatedAt),
		LastOrderID: r.LastOrderID, LastOrderAt: timeOf(r.LastOrderAt)}
	if err := json.Unmarshal(r.Items, &cart.Items); err != nil {
		return shop.Cart{}, fmt.Errorf("lines of cart %s: %w", userID, err)
	}
	cart.Sum()
	return cart, nil
}

// columns are lines turned into the arrays that unnest takes.
type columns struct {
	ids, quantities, prices []int64
	skus, names             []string
}

func columnsOf(lines []shop.Line) (c columns) {
	for _, l := range lines {
		c.ids, c.quantities, c.prices = append(c.ids, l.ProductID), append(c.quantities, l.Quantity), append(c.prices, l.UnitPrice)
		c.skus, c.names = append(c.skus, l.SKU), append(c.names, l.Name)
	}
	return c
}
