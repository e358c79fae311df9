package sqltune

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	writeRows   = 2000
	writeRounds = 7
	// writeFloor is what a row costs at least where each comes with a statement of its own, in milliseconds.
	writeFloor = 0.02
)

// writeCost is what it costs to insert a row into a table with the indexes that it has, in milliseconds: measured on a temporary copy of
// some rows, so that the table itself is not written to. What a commit costs is not in it, nor are triggers.
func writeCost(ctx context.Context, conn *pgx.Conn, table string, l Limits) (perRow float64, err error) {
	l.whole = 4 * l.Timeout
	err = rolledBack(ctx, conn, l, true, func(ctx context.Context, tx pgx.Tx) error {
		for _, sql := range []string{
			fmt.Sprintf("CREATE TEMP TABLE stampede_rows ON COMMIT DROP AS SELECT * FROM %s LIMIT %d", table, writeRows),
			fmt.Sprintf("CREATE TEMP TABLE stampede_writes (LIKE %s INCLUDING INDEXES) ON COMMIT DROP", table),
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("measure writes to %s: %w", table, err)
			}
		}
		var rounds []float64
		for range writeRounds {
			start := time.Now()
			tag, err := tx.Exec(ctx, "INSERT INTO stampede_writes SELECT * FROM stampede_rows")
			if err != nil {
				return fmt.Errorf("measure writes to %s: %w", table, err)
			}
			if n := tag.RowsAffected(); n > 0 {
				rounds = append(rounds, float64(time.Since(start))/float64(time.Millisecond)/float64(n))
			}
			if _, err := tx.Exec(ctx, "TRUNCATE stampede_writes"); err != nil {
				return err
			}
		}
		if len(rounds) > 0 {
			perRow = slices.Min(rounds) // what others do at the same time only adds
		}
		return nil
	})
	return perRow, err
}
