package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/shard"
)

// pattern is what real checkouts left in the databases, as text to make more orders from: the same rows under other ids. It knows
// of the schema only which tables are sharded by what, so that it need not follow each of its changes.
type pattern struct {
	shop   *benchShop
	tables []patternTable
	orders map[string]int // order id to its number
	users  map[string]int // shopper to the number of the order
	rows   []patternRow
}

// patternTable is a table, its columns, and the statement that reads it with the sharding key of each row in front.
type patternTable struct{ name, columns, dump string }

// patternRow is a row in the text form of COPY, cut at the ids of the order and of the shopper.
type patternRow struct {
	table int
	order int
	by    place  // what the row's sharding key is
	home  string // its shard, if that is neither of the two
	parts []patternPart
}

type patternPart struct {
	text []byte
	then place // what follows the text
}

type place int

const (
	byOther place = iota // a product, which stays where it is; of a part: nothing follows
	byOrder
	byUser
)

// notHistory are tables that a shop with many old orders has no more rows in: keys are honoured for a day.
var notHistory = []string{"idempotency_keys", "stock", "outbox"}

// readPattern takes every order in the databases for an example.
func (b *benchShop) readPattern(ctx context.Context) (*pattern, error) {
	p := &pattern{shop: b, orders: map[string]int{}, users: map[string]int{}}
	for _, n := range b.cluster.Nodes() {
		if err := p.number(ctx, n); err != nil {
			return nil, err
		}
	}
	if err := p.findTables(ctx, b.cluster.Nodes()[0]); err != nil {
		return nil, err
	}
	for _, n := range b.cluster.Nodes() {
		for i, t := range p.tables {
			if err := p.dump(ctx, n, i, t); err != nil {
				return nil, fmt.Errorf("%s of %s: %w", t.name, n.ID, err)
			}
		}
	}
	return p, nil
}

// number gives the shard's orders their numbers.
func (p *pattern) number(ctx context.Context, n shard.Node) error {
	rows, err := n.Pool.Query(ctx, "SELECT id, user_id FROM orders")
	if err != nil {
		return err
	}
	var order, user string
	_, err = pgx.ForEachRow(rows, []any{&order, &user}, func() error {
		p.users[user], p.orders[order] = len(p.orders), len(p.orders)
		return nil
	})
	return err
}

func (p *pattern) findTables(ctx context.Context, n shard.Node) error {
	for _, t := range postgres.MovingTables() {
		if slices.Contains(notHistory, t.Name) {
			continue
		}
		if err := p.addTable(ctx, n, t.Name, "SELECT r.%s::text, %s FROM %s r", t.Key); err != nil {
			return err
		}
		for _, c := range t.Children {
			from := fmt.Sprintf("SELECT p.%%s::text, %%s FROM %%s r JOIN %s p ON p.%s = r.%s", t.Name, c.Parent, c.Column)
			if err := p.addTable(ctx, n, c.Name, from, t.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *pattern) addTable(ctx context.Context, n shard.Node, name, from, key string) error {
	rows, err := n.Pool.Query(ctx, `SELECT quote_ident(attname) FROM pg_attribute
		WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`, name)
	if err != nil {
		return err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	list := strings.Join(columns, ", ")
	p.tables = append(p.tables, patternTable{name, list, "COPY (" + fmt.Sprintf(from, key, "r."+strings.Join(columns, ", r."), name) + ") TO STDOUT"})
	return err
}

func (p *pattern) dump(ctx context.Context, n shard.Node, table int, t patternTable) error {
	var out bytes.Buffer
	err := onConn(ctx, n, func(c *pgconn.PgConn) error {
		_, err := c.CopyTo(ctx, &out, t.dump)
		return err
	})
	for line := range bytes.Lines(out.Bytes()) {
		key, row, _ := bytes.Cut(line, []byte{'\t'})
		p.cut(n.ID, table, key, row)
	}
	return err
}

var uuids = regexp.MustCompile(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// cut adds a row; one that has nothing to do with an order is left out.
func (p *pattern) cut(home string, table int, key, row []byte) {
	r := patternRow{table: table, order: -1, home: home}
	at := 0
	for _, m := range uuids.FindAllIndex(row, -1) {
		n, what := p.find(row[m[0]:m[1]])
		if what == byOther {
			continue
		}
		r.order = n
		r.parts = append(r.parts, patternPart{slices.Clone(row[at:m[0]]), what})
		at = m[1]
	}
	if r.order < 0 {
		return
	}
	r.parts = append(r.parts, patternPart{slices.Clone(row[at:]), byOther})
	_, r.by = p.find(key)
	p.rows = append(p.rows, r)
}

// find tells which order an id is of, or the shopper of which order.
func (p *pattern) find(id []byte) (order int, what place) {
	if n, ok := p.orders[string(id)]; ok {
		return n, byOrder
	}
	if n, ok := p.users[string(id)]; ok {
		return n, byUser
	}
	return 0, byOther
}

func onConn(ctx context.Context, n shard.Node, fn func(*pgconn.PgConn) error) error {
	c, err := n.Pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return fn(c.Conn().PgConn())
}

// uuidAt is a UUIDv7 of that time (RFC 9562).
func uuidAt(t time.Time) []byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(t.UnixMilli())<<16|0x7000|rand.Uint64N(0x1000)) //nolint:gosec // after 1970
	binary.BigEndian.PutUint64(b[8:], 1<<63|rand.Uint64()>>2)
	s := make([]byte, 36)
	at := 0
	for _, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if at > 0 {
			s[at] = '-'
			at++
		}
		at += hex.Encode(s[at:], part)
	}
	return s
}
