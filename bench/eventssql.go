package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/duckstore"
)

const (
	sqlRows  = 50_000_000 // or what STAMPEDE_BENCH_EVENTS_ROWS says, to try things out
	sqlTimes = 5          // each query
)

// adHocQueries are what one asks of history.
var adHocQueries = []struct{ name, query string }{
	{"by_minute_and_kind", "SELECT date_trunc('minute', time) AS m, kind, count(*) AS n FROM %s GROUP BY ALL ORDER BY ALL"},
	{"top_products", "SELECT product, count(*) AS n FROM %s WHERE kind = 'view' GROUP BY product ORDER BY n DESC, product LIMIT 10"},
	{"revenue", "SELECT currency, sum(amount)::BIGINT AS revenue, count(DISTINCT shopper) AS shoppers FROM %s WHERE kind = 'order' GROUP BY currency"},
	{"categories", "SELECT category, count(*) AS n, sum(quantity)::BIGINT AS units FROM %s WHERE kind = 'purchase' GROUP BY category ORDER BY n DESC, category"},
	{"searches", "SELECT query, count(*) AS n FROM %s WHERE query IS NOT NULL GROUP BY query ORDER BY n DESC, query LIMIT 20"},
	{"funnel", "SELECT count(DISTINCT shopper) FILTER (kind = 'add') AS added, count(DISTINCT shopper) FILTER (kind = 'checkout') AS began, count(DISTINCT shopper) FILTER (kind = 'order') AS bought FROM %s"},
	{"one_shopper", "SELECT kind, product, time FROM %s WHERE shopper = 11400714819323198485 ORDER BY time, product, kind LIMIT 100"},
	{"spend", "SELECT count(*) AS n, sum(amount)::BIGINT AS total, avg(quantity) AS q, max(received) AS last FROM %s"},
}

// benchEventsSQL fills a store by the way that events take, and asks it what one asks of history; then the same of the same rows in a
// table of DuckDB's own, in turns. Ours is the worst ratio.
func benchEventsSQL(ctx context.Context) (result, error) {
	r, err := newEventsRig(ctx)
	if err != nil {
		return result{}, err
	}
	defer r.close()
	rows := int64(sqlRows)
	if n, err := strconv.ParseInt(os.Getenv("STAMPEDE_BENCH_EVENTS_ROWS"), 10, 64); err == nil {
		rows = n
	}
	run, err := r.ingest(ctx, eventsOffer{events: rows})
	if err != nil {
		return result{}, err
	}
	began := time.Now()
	if err := r.fillBare(ctx); err != nil {
		return result{}, err
	}
	fmt.Fprintf(os.Stderr, "%d events came at %.0f/s; DuckDB took them into its own table in %.0f s\n", run.stored, run.rate(), time.Since(began).Seconds())
	details := map[string]any{"rows": run.stored}
	worst, err := r.adHoc(ctx, details)
	return result{Unit: "times a table of DuckDB's own, worst query", Ours: worst, Anchor: 1, Ratio: worst, Runs: sqlTimes, Details: details}, err
}

// fillBare puts the same rows into a table of DuckDB's own in the order in which they came, as anybody's appender would have left them. File
// after file, so that sorting takes little memory.
func (r *eventsRig) fillBare(ctx context.Context) error {
	if err := bareQuery(ctx, r.store, "CREATE TABLE bare AS SELECT * FROM events WHERE false"); err != nil {
		return err
	}
	const dir = "landed"
	files, err := os.ReadDir(filepath.Join(r.dir, "store", dir))
	if err != nil {
		return err
	}
	for _, f := range files {
		from := filepath.Join(r.dir, "store", dir, f.Name())
		if err := bareQuery(ctx, r.store, "INSERT INTO bare SELECT * FROM read_parquet('"+from+"') ORDER BY received, time"); err != nil {
			return err
		}
	}
	if err := bareQuery(ctx, r.store, "INSERT INTO bare SELECT * REPLACE (kind::VARCHAR AS kind) FROM event"); err != nil { // what was too little for a file
		return err
	}
	return bareQuery(ctx, r.store, "CHECKPOINT")
}

// adHoc compares the queries, medians of some runs that take turns, after both have said the same once.
func (r *eventsRig) adHoc(ctx context.Context, details map[string]any) (worst float64, err error) {
	for _, q := range adHocQueries {
		if err := r.sameAnswer(ctx, q.query); err != nil {
			return 0, fmt.Errorf("%s: %w", q.name, err)
		}
		var ours, bare []float64
		for range sqlTimes {
			at := time.Now()
			if _, err := r.store.Query(ctx, fmt.Sprintf(q.query, "events"), analytics.QueryOptions{Timeout: time.Minute}); err != nil {
				return 0, err
			}
			ours = append(ours, time.Since(at).Seconds())
			at = time.Now()
			if err := bareQuery(ctx, r.store, fmt.Sprintf(q.query, "bare")); err != nil {
				return 0, err
			}
			bare = append(bare, time.Since(at).Seconds())
		}
		o, b := median(ours), median(bare)
		details[q.name] = map[string]float64{"ours_s": o, "bare_s": b, "ratio": o / b}
		worst = max(worst, o/b)
		fmt.Fprintf(os.Stderr, "%-20s %.3f s, bare %.3f s: %.2f times\n", q.name, o, b, o/b)
	}
	return worst, nil
}

func (r *eventsRig) sameAnswer(ctx context.Context, query string) error {
	var said [2]string
	for i, from := range []string{"events", "bare"} {
		res, err := r.store.Query(ctx, fmt.Sprintf(query, from), analytics.QueryOptions{Timeout: time.Minute})
		if err != nil {
			return err
		}
		said[i] = fmt.Sprint(res.Rows)
	}
	if said[0] != said[1] {
		return fmt.Errorf("the store says %s, DuckDB's own table %s", said[0], said[1])
	}
	return nil
}

// bareQuery reads all rows on a plain connection.
func bareQuery(ctx context.Context, s *duckstore.Store, q string) error {
	connector, err := duckdb.NewConnector(s.Path(), nil) // the same instance: DuckDB keeps one for each file
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close() //nolint:errcheck // the store holds the instance
	rows, err := db.QueryContext(ctx, q)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
	}
	return rows.Err()
}
