package postgres

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// maxOrderPage bounds a page of orders.
const maxOrderPage = 100

// Order implements shop.OrderStore.
func (s *Shards) Order(ctx context.Context, userID, orderID string) (shop.Order, error) {
	var own []sharddb.OrderByIDRow
	var guests []string
	err := s.on(ctx, userID, func(ctx context.Context, n shard.Node) error {
		p := newPipe()
		_, _ = p.OrderByID(ctx, sharddb.OrderByIDParams{ID: orderID, UserIds: []string{userID}})
		found := collect[sharddb.OrderByIDRow](p)
		_, _ = p.GuestsOf(ctx, userID)
		claimed := collectValues[string](p)
		err := p.send(ctx, n.Pool)
		own, guests = found.all, claimed.all
		return err
	})
	if err != nil {
		return shop.Order{}, err
	}
	if len(own) > 0 {
		return toOrder(sharddb.ListOrdersRow(own[0]))
	}
	var mu sync.Mutex
	err = s.perOwner(ctx, guests, func(ctx context.Context, n shard.Node, ids []string) error {
		found, err := sharddb.New(n.Pool).OrderByID(ctx, sharddb.OrderByIDParams{ID: orderID, UserIds: ids})
		mu.Lock()
		own = append(own, found...)
		mu.Unlock()
		return err
	})
	if len(own) > 0 {
		return toOrder(sharddb.ListOrdersRow(own[0]))
	}
	if err != nil {
		return shop.Order{}, err
	}
	return shop.Order{}, shop.NotFound("order", orderID)
}

// Orders implements shop.OrderStore. limit is cut to 1..100.
func (s *Shards) Orders(ctx context.Context, userID string, limit int, cursor string) (shop.OrderPage, error) {
	limit = max(1, min(limit, maxOrderPage))
	before, err := orderBefore(cursor)
	if err != nil {
		return shop.OrderPage{}, err
	}
	owners, err := s.owners(ctx, userID)
	if err != nil {
		return shop.OrderPage{}, err
	}
	var mu sync.Mutex
	var found []sharddb.ListOrdersRow
	err = s.perOwner(ctx, owners, func(ctx context.Context, n shard.Node, ids []string) error {
		some, err := sharddb.New(n.Pool).ListOrders(ctx, sharddb.ListOrdersParams{UserIds: ids, Before: before, MaxRows: int32(limit + 1)})
		mu.Lock()
		found = append(found, some...)
		mu.Unlock()
		return err
	})
	if err != nil {
		return shop.OrderPage{}, err
	}
	slices.SortFunc(found, func(a, b sharddb.ListOrdersRow) int { return strings.Compare(b.ID, a.ID) })
	page := shop.OrderPage{Orders: []shop.Order{}}
	for i, row := range found {
		if i == limit {
			page.Next = orderCursor(found[i-1].ID)
			break
		}
		o, err := toOrder(row)
		if err != nil {
			return shop.OrderPage{}, err
		}
		page.Orders = append(page.Orders, o)
	}
	return page, nil
}

const cursorPrefix = "o1:"

func orderCursor(id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorPrefix + id))
}

func orderBefore(cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	id, ours := strings.CutPrefix(string(raw), cursorPrefix)
	if err != nil || !ours || id == "" || len(id) > 100 || strings.ContainsRune(id, 0) {
		return "", shop.Invalid("cursor", "is not one that this list gave: start without a cursor")
	}
	return id, nil
}

// CancelOrder implements shop.OrderStore.
func (s *Shards) CancelOrder(ctx context.Context, userID, orderID string) (shop.Order, bool, error) {
	o, err := s.Order(ctx, userID, orderID)
	if err != nil {
		return shop.Order{}, false, err
	}
	var changed bool
	err = s.on(ctx, o.UserID, func(ctx context.Context, n shard.Node) error {
		p := newPipe()
		_, _ = p.CancelOrder(ctx, sharddb.CancelOrderParams{ID: orderID, UserIds: []string{o.UserID}, Actor: userID,
			Traceparent: traceparent(ctx)})
		gone := collectValues[string](p)
		_, _ = p.OrderByID(ctx, sharddb.OrderByIDParams{ID: orderID, UserIds: []string{o.UserID}})
		now := collect[sharddb.OrderByIDRow](p)
		if err := p.send(ctx, n.Pool); err != nil {
			return err
		}
		if len(now.all) == 0 {
			return shop.NotFound("order", orderID)
		}
		changed = len(gone.all) > 0
		var err error
		o, err = toOrder(sharddb.ListOrdersRow(now.all[0]))
		return err
	})
	if err != nil {
		return shop.Order{}, false, err
	}
	if o.Status != shop.OrderCancelled {
		return o, false, shop.Errorf(shop.CodeNotCancellable, "the order is %s: only a confirmed order can be cancelled", o.Status)
	}
	return o, changed, nil
}

// owners are the ids whose orders the user sees: its own and those of the guests it claimed.
func (s *Shards) owners(ctx context.Context, userID string) (ids []string, err error) {
	err = s.on(ctx, userID, func(ctx context.Context, n shard.Node) (err error) {
		ids, err = sharddb.New(n.Pool).GuestsOf(ctx, userID)
		return err
	})
	return append(ids, userID), err
}

// perOwner runs fn once on each shard that owns some of the user ids, in parallel.
func (s *Shards) perOwner(ctx context.Context, userIDs []string, fn func(context.Context, shard.Node, []string) error) error {
	return followingEach(ctx, s, userIDs, func(id string) string { return id }, fn)
}

func toOrder(r sharddb.ListOrdersRow) (shop.Order, error) {
	o := shop.Order{ID: r.ID, Status: shop.OrderStatus(r.Status), Subtotal: r.Subtotal, Total: r.Total, Currency: r.Currency,
		ShippingAddress: r.ShippingAddress, CreatedAt: timeOf(r.CreatedAt), UpdatedAt: timeOf(r.UpdatedAt), UserID: r.UserID}
	if err := json.Unmarshal(r.Items, &o.Items); err != nil {
		return o, errors.Join(fmt.Errorf("lines of order %s", r.ID), err)
	}
	for i := range o.Items {
		o.Items[i].LineTotal = o.Items[i].UnitPrice * o.Items[i].Quantity
	}
	return o, nil
}
