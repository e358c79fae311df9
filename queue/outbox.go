package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// OutboxDDL makes the outbox table and the trigger that wakes relays; it can be run again. The table lives off inserts
// and deletes, so it is vacuumed by count and not by share. Databases with migrations of their own make the same there.
const OutboxDDL = `
CREATE TABLE IF NOT EXISTS outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text NOT NULL, key text NOT NULL, payload jsonb NOT NULL,
  traceparent text NOT NULL DEFAULT '', created_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE OR REPLACE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_notify('outbox', ''); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER outbox_notify AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify();`

// Event is what [Append] writes. Payload is JSON. Topic is one or more tokens of letters, digits, - and _ joined by dots.
type Event struct {
	Topic       string
	Key         string
	Payload     []byte
	Traceparent string
}

// Execer is a pgx transaction, connection or pool.
type Execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// Append writes an event into the outbox of db, which should be the transaction that makes the event true.
func Append(ctx context.Context, db Execer, e Event) error {
	if !validTopic(e.Topic) {
		return fmt.Errorf("queue: topic %q is not a list of tokens joined by dots", e.Topic)
	}
	_, err := db.Exec(ctx, `INSERT INTO outbox (topic, key, payload, traceparent) VALUES ($1, $2, $3, $4)`,
		e.Topic, e.Key, e.Payload, e.Traceparent)
	if err != nil {
		return fmt.Errorf("queue: append to outbox: %w", err)
	}
	return nil
}

// Source is a database with an outbox. Name must be unique among the databases that feed one stream, and lasting.
type Source struct {
	Name string
	Pool *pgxpool.Pool
	// Poll is how long a relay rests between looks at the table when no notification comes; 0 means [RelayOptions].Poll. A
	// database whose commits must be quick has no trigger, but a short Poll: a commit that notifies holds a lock of the whole
	// server until it is on disk.
	Poll time.Duration
}

// Backlog is what waits in one outbox.
type Backlog struct {
	Source string        `json:"source"`
	Rows   int64         `json:"rows"`
	Oldest time.Duration `json:"oldest_ns"` // age of the oldest row
}

// Backlogs counts the rows that wait in each source's outbox.
func Backlogs(ctx context.Context, sources []Source) ([]Backlog, error) {
	out := make([]Backlog, 0, len(sources))
	for _, s := range sources {
		b := Backlog{Source: s.Name}
		var seconds float64
		err := s.Pool.QueryRow(ctx,
			`SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 FROM outbox`).
			Scan(&b.Rows, &seconds)
		if err != nil {
			return nil, fmt.Errorf("queue: backlog of %s: %w", s.Name, err)
		}
		b.Oldest = time.Duration(seconds * float64(time.Second))
		out = append(out, b)
	}
	return out, nil
}

// outboxRow is one row on its way to the stream.
type outboxRow struct {
	ID          int64
	Topic       string
	Key         string
	Payload     []byte
	Traceparent string
	CreatedAt   time.Time
	Position    string
}

// lockRows takes up to limit rows that no other relay holds and that are not set aside, oldest first. What can be seen has been
// committed, and so lies before the position of the log that is read with it.
func lockRows(ctx context.Context, tx pgx.Tx, limit int, aside []int64) ([]outboxRow, error) {
	rows, err := tx.Query(ctx, `SELECT id, topic, key, payload, traceparent, created_at, pg_current_wal_flush_lsn()::text FROM outbox
		WHERE NOT (id = ANY($2)) ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED`, limit, aside)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[outboxRow])
}
