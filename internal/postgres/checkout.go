package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

func keyMismatch() error {
	return shop.Errorf(shop.CodeIdempotencyMismatch,
		"this Idempotency-Key was used with another request: repeat that request as it was, or take a new key")
}

func stillOpen(orderID string) error {
	e := shop.Errorf(shop.CodeConflict, "order %s, of this cart as it was before, is still being paid: "+
		"wait until GET /orders/%s tells its outcome, then ask again", orderID, orderID)
	e.OrderID = orderID
	return e
}

// FindCheckout implements shop.CheckoutStore.
func (s *Shards) FindCheckout(ctx context.Context, userID string, key shop.CheckoutKey) (c shop.Checkout, found bool, err error) {
	if key.Key == "" {
		return c, false, nil
	}
	var row sharddb.FindKeyRow
	err = s.on(ctx, userID, func(ctx context.Context, n shard.Node) (err error) {
		row, err = sharddb.New(n.Pool).FindKey(ctx, sharddb.FindKeyParams{UserID: userID, Key: key.Key})
		return err
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return c, false, nil
	case err != nil:
		return c, false, err
	case !bytes.Equal(row.Hash, key.Hash):
		return c, false, keyMismatch()
	}
	c, err = s.CheckoutByID(ctx, userID, row.OrderID)
	return c, err == nil, err
}

// CheckoutByID implements shop.CheckoutStore.
func (s *Shards) CheckoutByID(ctx context.Context, userID, orderID string) (c shop.Checkout, err error) {
	err = s.on(ctx, userID, func(ctx context.Context, n shard.Node) error {
		row, err := sharddb.New(n.Pool).CheckoutByID(ctx, sharddb.CheckoutByIDParams{OrderID: orderID, UserID: userID})
		if errors.Is(err, pgx.ErrNoRows) {
			return shop.NotFound("order", orderID)
		}
		if err != nil {
			return err
		}
		c, err = toCheckout(row)
		return err
	})
	return c, err
}

// OpenCheckout implements shop.CheckoutStore.
func (s *Shards) OpenCheckout(ctx context.Context, c shop.Checkout, key shop.CheckoutKey) (shop.Checkout, error) {
	params, err := openParams(c, key)
	if err != nil {
		return shop.Checkout{}, err
	}
	var chosen []sharddb.OpenCheckoutRow
	err = s.on(ctx, c.UserID, func(ctx context.Context, n shard.Node) error {
		p := newPipe()
		_ = p.LockCart(ctx, c.UserID)
		_, _ = p.OpenCheckout(ctx, params)
		got := collect[sharddb.OpenCheckoutRow](p)
		err := p.send(ctx, n.Pool)
		chosen = got.all
		return err
	})
	switch {
	case err != nil:
		return shop.Checkout{}, err
	case len(chosen) == 0:
		return shop.Checkout{}, shop.Errorf(shop.CodeConflict, "the cart has changed: look at it and ask again")
	case chosen[0].Busy:
		return shop.Checkout{}, stillOpen(chosen[0].OrderID)
	case chosen[0].Mismatch:
		return shop.Checkout{}, keyMismatch()
	case chosen[0].OrderID != c.OrderID:
		return s.CheckoutByID(ctx, c.UserID, chosen[0].OrderID)
	}
	c.State = shop.CheckoutOpen
	return c, nil
}

func openParams(c shop.Checkout, key shop.CheckoutKey) (p sharddb.OpenCheckoutParams, err error) {
	lines, err := json.Marshal(c.Lines)
	if err != nil {
		return p, err
	}
	payment, err := json.Marshal(c.Payment)
	if err != nil {
		return p, err
	}
	hash := key.Hash
	if hash == nil {
		hash = []byte{}
	}
	return sharddb.OpenCheckoutParams{OrderID: c.OrderID, UserID: c.UserID, CartVersion: c.CartVersion, Lines: lines,
		Total: c.Total, Currency: c.Currency, Payment: payment, ShippingAddress: c.ShippingAddress,
		ExpiresAt: timestamp(c.ExpiresAt), CreatedAt: timestamp(c.CreatedAt), Key: key.Key, Hash: hash}, nil
}

// MarkPaymentUnknown implements shop.CheckoutStore.
func (s *Shards) MarkPaymentUnknown(ctx context.Context, userID, orderID string) error {
	return s.on(ctx, userID, func(ctx context.Context, n shard.Node) error {
		return sharddb.New(n.Pool).MarkPaymentUnknown(ctx, sharddb.MarkPaymentUnknownParams{OrderID: orderID, UserID: userID})
	})
}

// ConfirmCheckout implements shop.CheckoutStore.
func (s *Shards) ConfirmCheckout(ctx context.Context, userID, orderID string, ch shop.Charge, provider string) (shop.Checkout, error) {
	return s.finish(ctx, userID, orderID, func(ctx context.Context, p *pipe) {
		_ = p.LockCart(ctx, userID)
		_ = p.ConfirmCheckout(ctx, sharddb.ConfirmCheckoutParams{OrderID: orderID, UserID: userID, Provider: provider,
			Ref: ch.Ref, Amount: ch.Amount, Traceparent: traceparent(ctx)})
	})
}

// MarkAnswered implements shop.CheckoutStore. Its loss in a crash does no harm, so it does not wait for the disk.
func (s *Shards) MarkAnswered(ctx context.Context, userID, orderID string) error {
	return s.on(ctx, userID, func(ctx context.Context, n shard.Node) error {
		p := newPipe()
		_ = p.RelaxCommit(ctx)
		_ = p.MarkAnswered(ctx, sharddb.MarkAnsweredParams{UserID: userID, OrderID: orderID})
		return p.send(ctx, n.Pool)
	})
}

// FailCheckout implements shop.CheckoutStore.
func (s *Shards) FailCheckout(ctx context.Context, userID, orderID string, reason shop.Code, shortage []shop.LineError) (shop.Checkout, error) {
	var lines []byte
	if len(shortage) > 0 {
		var err error
		if lines, err = json.Marshal(shortage); err != nil {
			return shop.Checkout{}, err
		}
	}
	return s.finish(ctx, userID, orderID, func(ctx context.Context, p *pipe) {
		_ = p.FailCheckout(ctx, sharddb.FailCheckoutParams{OrderID: orderID, UserID: userID, Reason: string(reason),
			Shortage: lines, Traceparent: traceparent(ctx)})
	})
}

// finish runs what moves a checkout out of open, if it is open, and reads it back.
func (s *Shards) finish(ctx context.Context, userID, orderID string, move func(context.Context, *pipe)) (c shop.Checkout, err error) {
	err = s.on(ctx, userID, func(ctx context.Context, n shard.Node) error {
		p := newPipe()
		move(ctx, p)
		_, _ = p.CheckoutByID(ctx, sharddb.CheckoutByIDParams{OrderID: orderID, UserID: userID})
		read := collect[sharddb.Checkout](p)
		err := p.send(ctx, n.Pool)
		if err != nil {
			return err
		}
		if len(read.all) == 0 {
			return shop.NotFound("order", orderID)
		}
		c, err = toCheckout(read.all[0])
		return err
	})
	return c, err
}

// ExpiredCheckouts implements shop.CheckoutStore. What healthy shards answered is returned besides the error of others.
func (s *Shards) ExpiredCheckouts(ctx context.Context, limit int) ([]shop.Checkout, error) {
	var mu sync.Mutex
	var all []shop.Checkout
	err := s.c.OnAll(ctx, func(ctx context.Context, n shard.Node) error {
		found, err := sharddb.New(n.Pool).ExpiredCheckouts(ctx, int32(min(limit, maxSweep)))
		mu.Lock()
		defer mu.Unlock()
		for _, row := range found {
			c, bad := toCheckout(row)
			if bad != nil {
				err = errors.Join(err, bad)
				continue
			}
			all = append(all, c)
		}
		return err
	})
	slices.SortFunc(all, func(a, b shop.Checkout) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
	return all[:min(len(all), limit)], err
}

func toCheckout(r sharddb.Checkout) (shop.Checkout, error) {
	c := shop.Checkout{OrderID: r.OrderID, UserID: r.UserID, CartVersion: r.CartVersion, State: shop.CheckoutState(r.State),
		Reason: shop.Code(r.Reason), Total: r.Total, Currency: r.Currency, ShippingAddress: r.ShippingAddress,
		PaymentUnknown: r.PaymentUnknown, CreatedAt: timeOf(r.CreatedAt), FinishedAt: timeOf(r.FinishedAt),
		ExpiresAt: timeOf(r.ExpiresAt)}
	err := errors.Join(json.Unmarshal(r.Lines, &c.Lines), json.Unmarshal(r.Payment, &c.Payment))
	if len(r.Shortage) > 0 {
		err = errors.Join(err, json.Unmarshal(r.Shortage, &c.Shortage))
	}
	if err != nil {
		return c, fmt.Errorf("checkout %s: %w", r.OrderID, err)
	}
	return c, nil
}
