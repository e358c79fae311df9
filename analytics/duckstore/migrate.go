package duckstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/stampede-shop/stampede/analytics"
)

// migrations bring an older store up to date, one after the other; one that was released is never edited. The version is how many
// have been done.
var migrations = [][]string{
	{
		"CREATE TYPE kind AS ENUM (" + quotedKinds(15) + ")",
		// How each column is compressed is said beforehand where it is known: finding it out costs a fifth of all ingestion.
		`CREATE TABLE event (id UUID USING COMPRESSION uncompressed, time TIMESTAMP USING COMPRESSION bitpacking, received TIMESTAMP USING COMPRESSION bitpacking,
			kind kind USING COMPRESSION bitpacking, shopper UBIGINT USING COMPRESSION uncompressed, product BIGINT USING COMPRESSION bitpacking, order_id UUID,
			category VARCHAR USING COMPRESSION dictionary, query VARCHAR, quantity INTEGER USING COMPRESSION bitpacking, amount BIGINT USING COMPRESSION bitpacking,
			currency VARCHAR USING COMPRESSION dictionary, source VARCHAR USING COMPRESSION dictionary, attributes VARCHAR)`,
		"CREATE TABLE place (stream VARCHAR, sequence UBIGINT)",
		"INSERT INTO place VALUES ('', 0)",
		"CREATE TABLE part (file VARCHAR, day DATE, events BIGINT, bytes BIGINT)",
		"CREATE TABLE made (since TIMESTAMP)",
		"INSERT INTO made VALUES (epoch_ms(epoch_ms(now())))",
		"CREATE VIEW events AS SELECT * FROM event",
	},
	{
		"ALTER TABLE event ADD COLUMN weight FLOAT DEFAULT 1",
		"ALTER TABLE part ADD COLUMN weighted BOOLEAN DEFAULT false", // whether a file has that column
		"CREATE TABLE landed (file VARCHAR, events BIGINT, bytes BIGINT, newest TIMESTAMP)",
	},
}

// quotedKinds are the names of the first n kinds: those that there were when a migration was written.
func quotedKinds(n int) string {
	var list []string
	for _, name := range analytics.KindNames()[:n] {
		list = append(list, literal(name))
	}
	return strings.Join(list, ", ")
}

func (s *Store) migrate(ctx context.Context) error {
	if _, err := s.db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER)"); err != nil {
		return fmt.Errorf("duckstore: %w", err)
	}
	var version int
	if err := s.db.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM schema_version").Scan(&version); err != nil {
		return fmt.Errorf("duckstore: %w", err)
	}
	if version > len(migrations) {
		return fmt.Errorf("duckstore: the store has schema %d, this program knows %d: use the newer program", version, len(migrations))
	}
	for ; version < len(migrations); version++ {
		if err := s.step(ctx, version); err != nil {
			return fmt.Errorf("duckstore: migration %d: %w", version+1, err)
		}
	}
	return nil
}

func (s *Store) step(ctx context.Context, version int) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	for _, q := range append(migrations[version], fmt.Sprintf("INSERT INTO schema_version VALUES (%d)", version+1)) {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return tx.Commit()
}
