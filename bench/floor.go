package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stampede-shop/stampede/internal/local/pg"
	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
)

const (
	floorCarts    = 3_200 // of each kind and size
	floorRuns     = 3
	floorProducts = 2500 // a quarter of the shop's: one shard of four
)

// benchFloor tells what PostgreSQL alone spends on a checkout, on one connection, one caller, nothing else of ours in
// the way: with the statements of the shop, with bare inserts of the same rows into the same tables, and with the least that could
// be called a checkout (an intent, reservations, an order; a row and a primary key each), always in three transactions,
// each for 1, 16 or 64 checkouts. The three take turns transaction by transaction, so that a busy machine is as hard on each.
// Ours is the shop's for 16 of one product, the anchor the least for 16, in µs of the server's processor time.
func benchFloor(ctx context.Context) (r result, err error) {
	s, err := startPG(ctx, pg.Settings{"min_wal_size": "4GB", "max_wal_size": "6GB"})
	if err != nil {
		return r, err
	}
	defer s.stop()
	f, err := openFloor(ctx, s)
	if err != nil {
		return r, err
	}
	defer f.close()
	t := newTable("products", "statements", "in a transaction", "open µs", "reserve µs", "confirm µs", "all µs")
	all := map[string][]float64{}
	for range floorRuns {
		for _, w := range []struct {
			name string
			pick func() []int64
		}{{"one hot", oneHot}, {"three random", threeOf(floorProducts)}} {
			for _, size := range []int{1, 16, 64} {
				us, err := f.measure(ctx, w.pick, size)
				if err != nil {
					return r, fmt.Errorf("%s, %d: %w", w.name, size, err)
				}
				for i, k := range floorKinds {
					sum := us[i][0] + us[i][1] + us[i][2]
					t.add(w.name, k.name, size, us[i][0], us[i][1], us[i][2], sum)
					key := fmt.Sprint(w.name, k.name, size)
					all[key] = append(all[key], sum)
				}
			}
		}
	}
	t.print()
	ours, least := all["one hotshop16"], all["one hotleast16"]
	return result{Unit: "µs of the server's processor time a checkout", Ours: median(ours), Anchor: median(least),
		Ratio: median(ours) / median(least), Spread: spread(ours), Runs: floorRuns}, nil
}

// floor is one shard with one connection.
type floor struct {
	s    *pgServer
	conn *pgx.Conn
	shop *benchShop
}

func openFloor(ctx context.Context, s *pgServer) (*floor, error) {
	b, err := openGrown(ctx, []*pgServer{s}, 1, floorProducts, true)
	if err != nil {
		return nil, err
	}
	f := &floor{s: s, shop: b}
	c, err := b.pools["shard1"].Acquire(ctx)
	if err != nil {
		b.close()
		return nil, err
	}
	f.conn = c.Hijack()
	if _, err := f.conn.Exec(ctx, leastTables); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *floor) close() {
	_ = f.conn.Close(context.Background())
	f.shop.close()
}

// spent is the processor time of the connection's backend.
func (f *floor) spent() (time.Duration, error) {
	return scheduled(fmt.Sprintf("/proc/%d", f.conn.PgConn().PID()))
}

// measure has carts bought step by step, by all kinds in turns, and gives the microseconds of each step, by kind.
func (f *floor) measure(ctx context.Context, pick func() []int64, size int) (us [len(floorKinds)][3]float64, err error) {
	n := floorCarts
	if size == 1 {
		n /= 16
	}
	const warm = 8 // transactions in which statements are prepared and planned
	n = max(n, 2*warm*size)
	var lots [len(floorKinds)][]lot
	for i := range lots {
		if lots[i], err = f.lots(ctx, n, size, pick); err != nil {
			return us, err
		}
	}
	if err := f.s.rest(ctx); err != nil {
		return us, err
	}
	for step := range us[0] {
		for j := range lots[0] {
			for i, k := range floorKinds {
				before, err := f.spent()
				if err != nil {
					return us, err
				}
				if err := k.steps[step](ctx, f.conn, lots[i][j]); err != nil {
					return us, fmt.Errorf("%s: %w", k.name, err)
				}
				after, err := f.spent()
				if err != nil {
					return us, err
				}
				if j >= warm {
					us[i][step] += float64((after - before).Nanoseconds()) / 1000 / float64(n-warm*size)
				}
			}
		}
	}
	return us, nil
}

// lot are the checkouts of one transaction, as parallel arrays in the order of their ids; held has their lines.
type lot struct {
	orders, users, refs, names, payments, empty, lines, events []string
	hashes                                                     [][]byte
	amounts                                                    []int64
	expires, created                                           []pgtype.Timestamptz
	held                                                       sharddb.ReserveAllParams
}

// lots fills n carts and says how they will be bought.
func (f *floor) lots(ctx context.Context, n, size int, pick func() []int64) (lots []lot, err error) {
	baskets := make([][]int64, 0, n)
	users, err := f.shop.fill(ctx, n, func() []int64 {
		ids := pick()
		slices.Sort(ids)
		baskets = append(baskets, ids)
		return ids
	})
	if err != nil {
		return nil, err
	}
	for from := 0; from < n; from += size {
		var l lot
		for i := from; i < min(n, from+size); i++ {
			l.add(f.shop.shelf, users[i], baskets[i])
		}
		l.held.Products = slices.Compact(slices.Sorted(slices.Values(l.held.ProductIds)))
		for _, id := range l.held.Products {
			units := int64(0)
			for _, p := range l.held.ProductIds {
				if p == id {
					units++
				}
			}
			l.held.Units = append(l.held.Units, units)
		}
		lots = append(lots, l)
	}
	return lots, nil
}

// add has a user buy one of each of some products.
func (l *lot) add(on shelf, user string, products []int64) {
	id, now := uuid.Must(uuid.NewV7()).String(), time.Now()
	expires := pgtype.Timestamptz{Time: now.Add(time.Hour), Valid: true}
	var lines []string
	total := int64(0)
	for _, p := range products {
		lines = append(lines, fmt.Sprintf(`{"product_id": %d, "sku": %q, "name": %q, "quantity": 1, "unit_price": %d, "line_total": %[4]d}`,
			p, on[p-1].SKU, on[p-1].Name, on[p-1].Price))
		total += on[p-1].Price
		l.held.OrderIds, l.held.ProductIds, l.held.UserIds = append(l.held.OrderIds, id), append(l.held.ProductIds, p), append(l.held.UserIds, user)
		l.held.Quantities, l.held.ExpiresAt = append(l.held.Quantities, 1), append(l.held.ExpiresAt, expires)
	}
	l.orders, l.users, l.refs, l.names = append(l.orders, id), append(l.users, user), append(l.refs, "mem_"+user), append(l.names, "memory")
	l.payments, l.empty = append(l.payments, `{"method":""}`), append(l.empty, "")
	l.lines, l.amounts = append(l.lines, "["+strings.Join(lines, ",")+"]"), append(l.amounts, total)
	l.events = append(l.events, fmt.Sprintf(`{"order_id":%q,"user_id":%q,"product_ids":[%d]}`, id, user, products[0]))
	l.hashes = append(l.hashes, []byte("0123456789abcdef0123456789abcdef"))
	l.expires, l.created = append(l.expires, expires), append(l.created, pgtype.Timestamptz{Time: now, Valid: true})
}

type floorStep func(ctx context.Context, c *pgx.Conn, l lot) error

type floorKind struct {
	name  string
	steps [3]floorStep
}

var floorKinds = [...]floorKind{
	{"shop", [3]floorStep{shopOpen, shopReserve, shopConfirm}},
	{"bare", [3]floorStep{bareOpen, bareReserve, bareConfirm}},
	{"least", [3]floorStep{leastOpen, leastReserve, leastConfirm}},
}

var errFloor = errors.New("a checkout was left out")

func shopOpen(ctx context.Context, c *pgx.Conn, l lot) error {
	rows, err := sharddb.New(c).OpenCarts(ctx, sharddb.OpenCartsParams{OrderIds: l.orders, UserIds: l.users, Payments: l.payments,
		Addresses: l.empty, ExpiresAt: l.expires, CreatedAt: l.created, Keys: l.users, Hashes: l.hashes})
	if err == nil && len(rows) != len(l.orders) {
		err = errFloor
	}
	return err
}

func shopReserve(ctx context.Context, c *pgx.Conn, l lot) error {
	return sharddb.New(c).ReserveAll(ctx, l.held)
}

func shopConfirm(ctx context.Context, c *pgx.Conn, l lot) error {
	rows, err := sharddb.New(c).ConfirmOpen(ctx, sharddb.ConfirmOpenParams{OrderIds: l.orders, UserIds: l.users, Providers: l.names,
		Refs: l.refs, Amounts: l.amounts, Events: l.events, Traceparents: l.empty})
	if err == nil && len(rows) != len(l.orders) {
		err = errFloor
	}
	return err
}

// sent runs statements in one round trip and one transaction.
func sent(ctx context.Context, c *pgx.Conn, b *pgx.Batch) error { return c.SendBatch(ctx, b).Close() }

func bareOpen(ctx context.Context, c *pgx.Conn, l lot) error {
	var b pgx.Batch
	b.Queue(`INSERT INTO idempotency_keys (user_id, key, hash, order_id)
		SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::bytea[]), unnest($4::text[])`, l.users, l.users, l.hashes, l.orders)
	b.Queue(`INSERT INTO checkouts (order_id, user_id, cart_version, state, lines, total, currency, payment, expires_at, created_at)
		SELECT unnest($1::text[]), unnest($2::text[]), 1, 'open', unnest($3::text[])::jsonb, unnest($4::bigint[]), 'USD', '{"method":""}',
			unnest($5::timestamptz[]), unnest($6::timestamptz[])`, l.orders, l.users, l.lines, l.amounts, l.expires, l.created)
	return sent(ctx, c, &b)
}

func bareReserve(ctx context.Context, c *pgx.Conn, l lot) error {
	var b pgx.Batch
	takeUnits(&b, l)
	b.Queue(`INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at)
		SELECT unnest($1::text[]), unnest($2::bigint[]), unnest($3::text[]), 1, 'held', unnest($4::timestamptz[])`,
		l.held.OrderIds, l.held.ProductIds, l.held.UserIds, l.held.ExpiresAt)
	return sent(ctx, c, &b)
}

// takeUnits is one update for each product.
func takeUnits(b *pgx.Batch, l lot) {
	b.Queue(`UPDATE stock s SET available = s.available - t.units FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS units) t
		WHERE s.product_id = t.id AND s.available >= t.units`, l.held.Products, l.held.Units)
}

func bareConfirm(ctx context.Context, c *pgx.Conn, l lot) error {
	var b pgx.Batch
	b.Queue(`UPDATE checkouts SET state = 'confirmed', finished_at = now(), updated_at = now() WHERE order_id = ANY ($1::text[])`, l.orders)
	b.Queue(`INSERT INTO orders (id, user_id, cart_version, status, lines, subtotal, total, currency, created_at, created_by, updated_at, updated_by,
			payment_provider, payment_ref, payment_amount, payment_status)
		SELECT unnest($1::text[]), unnest($2::text[]), 1, 'confirmed', unnest($3::text[])::jsonb, unnest($4::bigint[]), unnest($4::bigint[]), 'USD',
			unnest($5::timestamptz[]), unnest($2::text[]), now(), unnest($2::text[]), 'memory', unnest($6::text[]), unnest($4::bigint[]), 'captured'`,
		l.orders, l.users, l.lines, l.amounts, l.created, l.refs)
	b.Queue(`UPDATE carts SET version = version + 1, last_order_id = 'x' WHERE user_id = ANY ($1::text[])`, l.users)
	b.Queue(`DELETE FROM cart_items WHERE user_id = ANY ($1::text[])`, l.users)
	b.Queue(`INSERT INTO outbox (topic, key, payload) SELECT 'order.confirmed', unnest($1::text[]), unnest($2::text[])::jsonb`, l.orders, l.events)
	return sent(ctx, c, &b)
}

// leastTables are what no checkout whose steps survive a crash can do without.
const leastTables = `
CREATE TABLE least_intents (id text COLLATE "C" PRIMARY KEY, user_id text NOT NULL, lines text NOT NULL, total bigint NOT NULL);
CREATE TABLE least_held (id text COLLATE "C", product_id bigint, quantity bigint NOT NULL, PRIMARY KEY (id, product_id));
CREATE TABLE least_orders (id text COLLATE "C" PRIMARY KEY, user_id text NOT NULL, lines text NOT NULL, total bigint NOT NULL, ref text NOT NULL);`

func leastOpen(ctx context.Context, c *pgx.Conn, l lot) error {
	_, err := c.Exec(ctx, `INSERT INTO least_intents SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::bigint[])`,
		l.orders, l.users, l.lines, l.amounts)
	return err
}

func leastReserve(ctx context.Context, c *pgx.Conn, l lot) error {
	var b pgx.Batch
	takeUnits(&b, l)
	b.Queue(`INSERT INTO least_held SELECT unnest($1::text[]), unnest($2::bigint[]), 1`, l.held.OrderIds, l.held.ProductIds)
	return sent(ctx, c, &b)
}

func leastConfirm(ctx context.Context, c *pgx.Conn, l lot) error {
	_, err := c.Exec(ctx, `INSERT INTO least_orders SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::bigint[]), unnest($5::text[])`,
		l.orders, l.users, l.lines, l.amounts, l.refs)
	return err
}
