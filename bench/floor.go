package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stampede-shop/stampede/internal/local/pg"
	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
)

const (
	floorCarts = 12_800 // of each kind and size
	floorRuns  = 3
)

// benchFloor tells what PostgreSQL alone spends on a checkout of one product, on one connection, one caller, nothing else of ours in
// the way: with the statements of the shop, with bare inserts of the same rows into the same tables, and with the least that could
// be called a checkout (an intent, a reservation, an order; a row and a primary key each), always in three transactions,
// each for 1, 16 or 64 checkouts. Ours is the shop's for 64, the anchor the least for 64, in µs of the server's processor time.
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
	t := newTable("statements", "in a transaction", "open µs", "reserve µs", "confirm µs", "all µs", "log bytes")
	all := map[string][]float64{}
	for range floorRuns {
		for _, size := range []int{1, 16, 64} {
			for _, k := range floorKinds {
				m, err := f.measure(ctx, k, size)
				if err != nil {
					return r, fmt.Errorf("%s, %d: %w", k.name, size, err)
				}
				sum := m.us[0] + m.us[1] + m.us[2]
				t.add(k.name, size, m.us[0], m.us[1], m.us[2], sum, m.log)
				all[fmt.Sprint(k.name, size)] = append(all[fmt.Sprint(k.name, size)], sum)
			}
		}
	}
	t.print()
	ours, least := all["shop64"], all["least64"]
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
	b, err := openGrown(ctx, []*pgServer{s}, 1, 100, true)
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
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", f.conn.PgConn().PID()))
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseInt(strings.Fields(string(raw))[0], 10, 64)
	return time.Duration(ns), err
}

func (f *floor) logged(ctx context.Context) (at int64, err error) {
	err = f.conn.QueryRow(ctx, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").Scan(&at)
	return at, err
}

// floorMeasured are microseconds and bytes a checkout.
type floorMeasured struct {
	us  [3]float64
	log float64
}

// measure has floorCarts bought, all of them step by step.
func (f *floor) measure(ctx context.Context, k floorKind, size int) (m floorMeasured, err error) {
	n := floorCarts
	if size == 1 {
		n /= 8
	}
	if err := f.warmUp(ctx, k, size); err != nil {
		return m, err
	}
	lots, err := f.lots(ctx, n, size)
	if err != nil {
		return m, err
	}
	log, err := f.logged(ctx)
	if err != nil {
		return m, err
	}
	for i, step := range k.steps {
		before, err := f.spent()
		if err != nil {
			return m, err
		}
		for _, l := range lots {
			if err := step(ctx, f.conn, l); err != nil {
				return m, err
			}
		}
		after, err := f.spent()
		if err != nil {
			return m, err
		}
		m.us[i] = float64((after - before).Nanoseconds()) / 1000 / float64(n)
	}
	end, err := f.logged(ctx)
	m.log = float64(end-log) / float64(n)
	return m, err
}

// warmUp lets the statements be prepared and planned, and pages of tables be those that the log knows whole.
func (f *floor) warmUp(ctx context.Context, k floorKind, size int) error {
	lots, err := f.lots(ctx, 6*size, size)
	if err != nil {
		return err
	}
	for _, step := range k.steps {
		for _, l := range lots {
			if err := step(ctx, f.conn, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// lot are the checkouts of one transaction, as parallel arrays in the order of their ids.
type lot struct {
	orders, users, refs, names, empty, lines, events []string
	hashes                                           [][]byte
	amounts, ones, products                          []int64
	expires, created                                 []pgtype.Timestamptz
}

func (f *floor) lots(ctx context.Context, n, size int) (lots []lot, err error) {
	users, err := f.shop.fill(ctx, n, oneHot)
	if err != nil {
		return nil, err
	}
	p := f.shop.shelf[0]
	line := fmt.Sprintf(`[{"product_id": 1, "sku": %q, "name": %q, "quantity": 1, "unit_price": %d, "line_total": %d}]`, p.SKU, p.Name, p.Price, p.Price)
	now := time.Now()
	for from := 0; from < n; from += size {
		var l lot
		for _, u := range users[from:min(n, from+size)] {
			id := uuid.Must(uuid.NewV7()).String()
			l.orders, l.users, l.refs = append(l.orders, id), append(l.users, u), append(l.refs, "mem_"+u)
			l.names, l.empty, l.lines = append(l.names, "memory"), append(l.empty, ""), append(l.lines, line)
			l.events = append(l.events, fmt.Sprintf(`{"order_id":%q,"user_id":%q,"product_ids":[1]}`, id, u))
			l.hashes = append(l.hashes, []byte("0123456789abcdef0123456789abcdef"))
			l.amounts, l.ones, l.products = append(l.amounts, p.Price), append(l.ones, 1), append(l.products, 1)
			l.expires = append(l.expires, pgtype.Timestamptz{Time: now.Add(time.Hour), Valid: true})
			l.created = append(l.created, pgtype.Timestamptz{Time: now, Valid: true})
		}
		lots = append(lots, l)
	}
	return lots, f.s.rest(ctx)
}

type floorStep func(ctx context.Context, c *pgx.Conn, l lot) error

type floorKind struct {
	name  string
	steps [3]floorStep
}

var floorKinds = []floorKind{
	{"shop", [3]floorStep{shopOpen, shopReserve, shopConfirm}},
	{"bare", [3]floorStep{bareOpen, bareReserve, bareConfirm}},
	{"least", [3]floorStep{leastOpen, leastReserve, leastConfirm}},
}

var errFloor = errors.New("a checkout was left out")

func shopOpen(ctx context.Context, c *pgx.Conn, l lot) error {
	payments := make([]string, len(l.orders))
	for i := range payments {
		payments[i] = `{"method":""}`
	}
	rows, err := sharddb.New(c).OpenCarts(ctx, sharddb.OpenCartsParams{OrderIds: l.orders, UserIds: l.users, Payments: payments,
		Addresses: l.empty, ExpiresAt: l.expires, CreatedAt: l.created, Keys: l.users, Hashes: l.hashes})
	if err == nil && len(rows) != len(l.orders) {
		err = errFloor
	}
	return err
}

func shopReserve(ctx context.Context, c *pgx.Conn, l lot) error {
	return sharddb.New(c).ReserveAll(ctx, sharddb.ReserveAllParams{Products: []int64{1}, Units: []int64{int64(len(l.orders))}, Orders: l.orders,
		OrderIds: l.orders, ProductIds: l.products, UserIds: l.users, Quantities: l.ones, ExpiresAt: l.expires})
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
	b.Queue(`UPDATE stock SET available = available - $1 WHERE product_id = 1 AND available >= $1`, int64(len(l.orders)))
	b.Queue(`INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at)
		SELECT unnest($1::text[]), 1, unnest($2::text[]), 1, 'held', unnest($3::timestamptz[])`, l.orders, l.users, l.expires)
	return sent(ctx, c, &b)
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
CREATE TABLE least_held (id text COLLATE "C" PRIMARY KEY, product_id bigint NOT NULL, quantity bigint NOT NULL);
CREATE TABLE least_orders (id text COLLATE "C" PRIMARY KEY, user_id text NOT NULL, lines text NOT NULL, total bigint NOT NULL, ref text NOT NULL);`

func leastOpen(ctx context.Context, c *pgx.Conn, l lot) error {
	_, err := c.Exec(ctx, `INSERT INTO least_intents SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::bigint[])`,
		l.orders, l.users, l.lines, l.amounts)
	return err
}

func leastReserve(ctx context.Context, c *pgx.Conn, l lot) error {
	var b pgx.Batch
	b.Queue(`UPDATE stock SET available = available - $1 WHERE product_id = 1 AND available >= $1`, int64(len(l.orders)))
	b.Queue(`INSERT INTO least_held SELECT unnest($1::text[]), 1, 1`, l.orders)
	return sent(ctx, c, &b)
}

func leastConfirm(ctx context.Context, c *pgx.Conn, l lot) error {
	_, err := c.Exec(ctx, `INSERT INTO least_orders SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::bigint[]), unnest($5::text[])`,
		l.orders, l.users, l.lines, l.amounts, l.refs)
	return err
}
