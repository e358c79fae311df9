package clickstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// migrations bring an older store up to date, one after the other; one that was released is never edited. Schemas do not change in
// transactions here: a migration that was interrupted is done again from its beginning, so each statement must bear that. The version is
// how many have been done.
var migrations = [][]string{
	{
		// A block has one append, and so goes into one partition, whole; the same number goes into the same partition always, within which the
		// server compares tokens. 500,000 appends are three days of two a second.
		`CREATE TABLE IF NOT EXISTS event (id UUID, time DateTime64(6, 'UTC') CODEC(Delta, ZSTD), received DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
	kind LowCardinality(String), shopper Nullable(UInt64), product Nullable(Int64), order_id Nullable(UUID), category LowCardinality(Nullable(String)),
	query Nullable(String), quantity Int32, amount Int64, currency LowCardinality(Nullable(String)), source LowCardinality(Nullable(String)),
	attributes Nullable(String), weight Float32, append UInt64 CODEC(Delta, ZSTD), writer UInt64, stream LowCardinality(String), sequence UInt64 CODEC(Delta, ZSTD),
	INDEX by_received received TYPE minmax, INDEX by_append append TYPE minmax, INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 4)
ENGINE = MergeTree PARTITION BY intDiv(append, 500000) ORDER BY (kind, time)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1`,
		`CREATE TABLE IF NOT EXISTS place (one UInt8, turn UInt64, append UInt64, stream String, sequence UInt64)
ENGINE = ReplacingMergeTree(turn) ORDER BY one SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
		`CREATE TABLE IF NOT EXISTS made (since DateTime64(6, 'UTC')) ENGINE = MergeTree ORDER BY since`,
		`INSERT INTO made SELECT now64(6, 'UTC')`,
		`CREATE OR REPLACE VIEW events AS SELECT id, time, received, kind, shopper, product, order_id, category, query, quantity, amount, currency, source,
	attributes, weight FROM event`,
	},
}

// quoted is a name in SQL.
func quoted(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}

// makeDatabase makes the database where it is not there.
func (s *Store) makeDatabase(ctx context.Context) error {
	client, err := s.dial(ctx, s.o.Database, ch.CompressionLZ4)
	if err == nil {
		// Some servers tell only now.
		var one proto.ColUInt8
		err = s.ask(ctx, client, "SELECT 1 AS one", proto.Results{{Name: "one", Data: &one}}, func() error { return nil })
		_ = client.Close()
	}
	if !ch.IsErr(err, proto.ErrUnknownDatabase) {
		return err
	}
	if client, err = s.dial(ctx, "default", ch.CompressionLZ4); err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // it may be closed already
	return exec(ctx, client, "CREATE DATABASE IF NOT EXISTS "+quoted(s.o.Database))
}

// number asks for a number; 0 when there is none. The lock is held.
func (s *Store) number(ctx context.Context, sql string) (n uint64, err error) {
	var col proto.ColUInt64
	err = s.ask(ctx, s.client, sql, proto.Results{{Name: "n", Data: &col}}, func() error { n = col[0]; return nil })
	return n, err
}

func (s *Store) migrate(ctx context.Context) error {
	if err := exec(ctx, s.client, "CREATE TABLE IF NOT EXISTS schema_version (version UInt64) ENGINE = MergeTree ORDER BY version"); err != nil {
		return err
	}
	done, err := s.number(ctx, "SELECT max(version) AS n FROM schema_version")
	if err != nil {
		return err
	}
	if done > uint64(len(migrations)) {
		return fmt.Errorf("clickstore: the store has schema %d, this program knows %d: use the newer program", done, len(migrations))
	}
	for version := done + 1; version <= uint64(len(migrations)); version++ {
		for _, q := range append(migrations[version-1], fmt.Sprintf("INSERT INTO schema_version SELECT %d", version)) {
			if err := exec(ctx, s.client, q); err != nil {
				return fmt.Errorf("clickstore: migration %d: %w", version, err)
			}
		}
	}
	return nil
}

// retain makes the table delete what is older than is to be kept. The lock is held.
func (s *Store) retain(ctx context.Context) error {
	var col proto.ColStr
	is := ""
	err := s.ask(ctx, s.client, "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'event'",
		proto.Results{{Name: "engine_full", Data: &col}}, func() error { is = col.First(); return nil })
	switch {
	case err != nil:
		return err
	case is == "":
		return errors.New("clickstore: the table event is not to be seen in system.tables: the user needs SHOW TABLES on the database")
	}
	if s.o.Keep < 0 {
		if !strings.Contains(is, " TTL ") {
			return nil
		}
		return exec(ctx, s.client, "ALTER TABLE event REMOVE TTL")
	}
	want := fmt.Sprintf("TTL toDateTime(time) + toIntervalDay(%d)", max(1, int64((s.o.Keep+day-1)/day)))
	if strings.Contains(is, want+" ") || strings.HasSuffix(is, want) {
		return nil
	}
	return exec(ctx, s.client, "ALTER TABLE event MODIFY "+want)
}
