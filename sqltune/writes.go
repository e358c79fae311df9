package sqltune

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	writeRows   = 1000
	writeRounds = 9
	// writeFloor is what a row costs at least where each comes with a statement of its own, in milliseconds.
	writeFloor = 0.02
)

// writeCost is what it costs to insert a row into a table with the indexes that it has, and with one more, in milliseconds: measured in
// turns on temporary copies of some rows, so that the table itself is not written to. What a commit costs is not in it, nor are
// triggers.
func writeCost(ctx context.Context, conn *pgx.Conn, p Proposal, l Limits) (without, with float64, err error) {
	l.whole = 4 * l.Timeout
	err = rolledBack(ctx, conn, l, true, func(ctx context.Context, tx pgx.Tx) error {
		more := p.Candidate
		more.Schema, more.Table = "pg_temp", "stampede_with"
		for _, sql := range []string{
			fmt.Sprintf("CREATE TEMP TABLE stampede_rows ON COMMIT DROP AS SELECT * FROM %s LIMIT %d", p.TableName(), writeRows),
			fmt.Sprintf("CREATE TEMP TABLE stampede_without (LIKE %s INCLUDING INDEXES) ON COMMIT DROP", p.TableName()),
			fmt.Sprintf("CREATE TEMP TABLE stampede_with (LIKE %s INCLUDING INDEXES) ON COMMIT DROP", p.TableName()),
			"CREATE INDEX ON " + more.Def(),
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("measure writes to %s: %w", p.TableName(), err)
			}
		}
		without, with = math.Inf(1), math.Inf(1)
		for range writeRounds { // the least of each: what others do at the same time only adds
			for _, c := range []struct {
				table string
				least *float64
			}{{"stampede_without", &without}, {"stampede_with", &with}} {
				took, err := inserted(ctx, tx, c.table)
				if err != nil {
					return fmt.Errorf("measure writes to %s: %w", p.TableName(), err)
				}
				*c.least = min(*c.least, took)
			}
		}
		return nil
	})
	return without, with, err
}

// inserted is what a row takes to be inserted into a table, which is empty again afterwards; 0 when there are no rows.
func inserted(ctx context.Context, tx pgx.Tx, table string) (perRow float64, err error) {
	start := time.Now()
	tag, err := tx.Exec(ctx, "INSERT INTO "+table+" SELECT * FROM stampede_rows")
	if err != nil {
		return 0, err
	}
	if n := tag.RowsAffected(); n > 0 {
		perRow = float64(time.Since(start)) / float64(time.Millisecond) / float64(n)
	}
	_, err = tx.Exec(ctx, "TRUNCATE "+table)
	return perRow, err
}
