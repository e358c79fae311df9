package duckstore

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/stampede-shop/stampede/analytics"
)

// Place implements analytics.Store.
func (s *Store) Place(ctx context.Context) (p analytics.Place, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT stream, sequence FROM place").Scan(&p.Stream, &p.Sequence)
	return p, err
}

// Stored implements analytics.Store.
func (s *Store) Stored(ctx context.Context, ids []analytics.ID, from, to time.Time) (found []analytics.ID, err error) {
	for list := range analytics.Looks(ids, "::UUID") {
		q := fmt.Sprintf("SELECT id FROM events WHERE time BETWEEN %s AND %s AND id IN (%s)", stamp(from), stamp(to), list)
		if err = s.ids(ctx, q, func(more []analytics.ID) { found = append(found, more...) }); err != nil {
			break
		}
	}
	return found, err
}

// stamp is a moment in SQL.
func stamp(t time.Time) string { return fmt.Sprintf("make_timestamp(%d)", t.UnixMicro()) }

// ReceivedSince implements analytics.Store.
func (s *Store) ReceivedSince(ctx context.Context, since time.Time, limit int, f func([]analytics.ID)) error {
	// Events were received by the batch: there are few such times, however many events.
	const enough = `SELECT max(received) FROM (SELECT received, sum(count(*)) OVER (ORDER BY received DESC) AS n FROM fresh WHERE received >= %s GROUP BY received) WHERE n > %d`
	var from sql.NullTime
	if err := s.db.QueryRowContext(ctx, fmt.Sprintf(enough, stamp(since), limit)).Scan(&from); err != nil {
		return err
	}
	if from.Valid {
		since = from.Time
	}
	return s.write.ids("SELECT id FROM fresh WHERE received >= "+stamp(since), f)
}

func (s *Store) ids(ctx context.Context, query string, f func([]analytics.ID)) error {
	rows, err := s.db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	some := make([]analytics.ID, 0, 2048)
	for rows.Next() {
		var id duckdb.UUID
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if some = append(some, analytics.ID(id)); len(some) == cap(some) {
			f(some)
			some = some[:0]
		}
	}
	f(some)
	return rows.Err()
}

// Recent implements analytics.Store.
func (s *Store) Recent(ctx context.Context, since time.Time, limit int, f func(*analytics.Batch)) error {
	rows, err := s.db.QueryContext(ctx, fmt.Sprintf(`SELECT id, time, kind::VARCHAR, coalesce(shopper, 0), coalesce(product, 0), order_id,
		coalesce(category, ''), coalesce(query, ''), quantity, amount, coalesce(currency, '') FROM fresh WHERE time >= %s ORDER BY time DESC LIMIT %d`, stamp(since), limit))
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var b analytics.Batch
	for rows.Next() {
		e, err := scanned(rows)
		if err != nil {
			return err
		}
		if b.Add(&e); b.Len() == 8192 {
			f(&b)
			b.Reset()
		}
	}
	f(&b)
	return rows.Err()
}

func scanned(rows *sql.Rows) (e analytics.Event, err error) {
	var id, order duckdb.UUID
	var orderID any
	var kind string
	if err = rows.Scan(&id, &e.Time, &kind, &e.Shopper, &e.Product, &orderID, &e.Category, &e.Query, &e.Quantity, &e.Amount, &e.Currency); err != nil {
		return e, err
	}
	if orderID != nil {
		if err = order.Scan(orderID); err != nil {
			return e, err
		}
	}
	e.ID, e.Order = analytics.ID(id), analytics.ID(order)
	e.Kind, _ = analytics.ParseKind(kind)
	return e, nil
}

// Stats implements analytics.Store.
func (s *Store) Stats(ctx context.Context) (st analytics.StoreStats, err error) {
	var compacted, live int64
	if err = s.db.QueryRowContext(ctx, "SELECT count(*), coalesce(sum(events), 0)::BIGINT, coalesce(sum(bytes), 0)::BIGINT FROM part").Scan(&st.Files, &compacted, &st.Bytes); err != nil {
		return st, err
	}
	if err = s.db.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM event), (SELECT since FROM made)").Scan(&live, &st.Since); err != nil {
		return st, err
	}
	var landed, bytes int64
	if err = s.db.QueryRowContext(ctx, "SELECT coalesce(sum(events), 0)::BIGINT, coalesce(sum(bytes), 0)::BIGINT FROM landed").Scan(&landed, &bytes); err != nil {
		return st, err
	}
	st.Events, st.Bytes = compacted+landed+live, st.Bytes+bytes
	for _, name := range []string{databaseFile, databaseFile + ".wal"} {
		if info, err := os.Stat(filepath.Join(s.o.Dir, name)); err == nil {
			st.Bytes += info.Size()
		}
	}
	return st, nil
}
