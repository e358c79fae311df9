package sqltune

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// AddScans adds how often each index was scanned on a node, by "schema.index": what a replica uses is not unused.
func AddScans(ctx context.Context, conn *pgx.Conn, scans map[string]float64) error {
	rows, err := conn.Query(ctx, `SELECT schemaname || '.' || indexrelname, idx_scan::float8 FROM pg_stat_user_indexes`)
	if err != nil {
		return err
	}
	var name string
	var n float64
	_, err = pgx.ForEachRow(rows, []any{&name, &n}, func() error {
		scans[name] += n
		return nil
	})
	return err
}
