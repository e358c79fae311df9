package move

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/shard"
)

// node is one shard that takes part in a move, with what was installed there: the schema shard_move and a trigger on each table.
type node struct {
	id string
	db *pgxpool.Pool
}

// writersLock is the advisory lock that writers of moving keys share, and that who raises the fence has alone.
const writersLock = "7596835243156820000"

// controlSQL is what triggers read. outgoing: capture, fenced (raised by the hold of that epoch) or gone; incoming: closed or open.
const controlSQL = `
CREATE SCHEMA IF NOT EXISTS shard_move;
CREATE TABLE IF NOT EXISTS shard_move.control (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), move_id bigint NOT NULL,
    outgoing text NOT NULL DEFAULT 'capture', raised bigint NOT NULL DEFAULT 0, incoming text NOT NULL DEFAULT 'closed');
CREATE TABLE IF NOT EXISTS shard_move.changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tbl text NOT NULL, dest text NOT NULL, pk jsonb NOT NULL);
INSERT INTO shard_move.control (move_id) VALUES (%d) ON CONFLICT DO NOTHING;
CREATE OR REPLACE FUNCTION shard_move.before(key text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS %s;
CREATE OR REPLACE FUNCTION shard_move.after(key text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS %s;`

// triggerSQL, for one table: its name as a literal, its key column in NEW and OLD, this shard, the primary key of a row.
// The order is: find out whether the key moves at all; line up with other writers; only then look at the fence.
const triggerSQL = `
CREATE OR REPLACE FUNCTION shard_move.%[1]s() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    here CONSTANT text := %[2]s;
    r record := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    was text;
    goes text;
    ctl record;
BEGIN
    IF current_setting('shard_move.role', true) = 'mover' THEN RETURN r; END IF;
    was := shard_move.before(r.%[3]s::text);
    goes := shard_move.after(r.%[3]s::text);
    IF was = goes OR here NOT IN (was, goes) THEN RETURN r; END IF;
    IF was = here THEN PERFORM pg_advisory_xact_lock_shared(` + writersLock + `); END IF;
    SELECT outgoing, incoming INTO ctl FROM shard_move.control;
    IF was <> here THEN
        IF ctl.incoming = 'closed' THEN RETURN NULL; END IF;
        RETURN r;
    END IF;
    IF ctl.outgoing = 'gone' THEN RETURN NULL; END IF;
    IF ctl.outgoing = 'fenced' THEN
        RAISE EXCEPTION 'key %% of %% moves from %% to %%', r.%[3]s, TG_TABLE_NAME, was, goes USING ERRCODE = '` + shard.MovedState + `';
    END IF;
    INSERT INTO shard_move.changes (tbl, dest, pk) VALUES (%[4]s, goes, %[5]s);
    RETURN r;
END
$body$;`

// fits keeps a statement that needs a strong lock from standing in front of writers for long.
const ddlPatience = "SET LOCAL lock_timeout = '150ms'"

// prepare installs everything and begins to capture. It may be repeated.
func (n *node) prepare(ctx context.Context, m Move, tables []*table) error {
	before, after, err := ownersSQL(m)
	if err != nil {
		return err
	}
	if _, err := n.db.Exec(ctx, fmt.Sprintf(controlSQL, m.ID, quote("SELECT "+before), quote("SELECT "+after))); err != nil {
		return err
	}
	var known int64
	if err := n.db.QueryRow(ctx, `SELECT move_id FROM shard_move.control`).Scan(&known); err != nil {
		return err
	}
	if known != m.ID {
		return fmt.Errorf("%w: %s has the triggers of move %d", ErrBusy, n.id, known)
	}
	for _, t := range tables {
		fn := ident("on_" + t.Name)
		sql := fmt.Sprintf(triggerSQL, fn, quote(n.id), ident(t.Key), quote(t.Name), t.pkObject("r"))
		if _, err := n.db.Exec(ctx, sql); err != nil {
			return err
		}
		// The name makes it the last of the table's triggers: it sees the row as it will be.
		err := n.patiently(ctx, fmt.Sprintf(`DROP TRIGGER IF EXISTS zz_shard_move ON %[1]s;
			CREATE TRIGGER zz_shard_move BEFORE INSERT OR UPDATE OR DELETE ON %[1]s FOR EACH ROW EXECUTE FUNCTION shard_move.%[2]s()`, t.ident(), fn))
		if err != nil {
			return err
		}
	}
	return nil
}

func ownersSQL(m Move) (before, after string, err error) {
	old, err1 := m.Map.Map()
	next, err2 := m.Next.Map()
	if err := errors.Join(err1, err2); err != nil {
		return "", "", err
	}
	before, err1 = shard.OwnerSQL(old, "key")
	after, err2 = shard.OwnerSQL(next, "key")
	return before, after, errors.Join(err1, err2)
}

// patiently runs DDL that has to wait for writers, in short attempts.
func (n *node) patiently(ctx context.Context, sql string) error {
	for {
		err := pgx.BeginFunc(ctx, n.db, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, ddlPatience); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, sql)
			return err
		})
		if !hasCode(err, "55P03", "40P01") { // lock_not_available, deadlock_detected
			return err
		}
		if !pause(ctx, 50*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

func hasCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	for _, c := range codes {
		if pg.Code == c {
			return true
		}
	}
	return false
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// remove takes everything away again. It may be repeated.
func (n *node) remove(ctx context.Context, tables []*table) error {
	for _, t := range tables {
		if err := n.patiently(ctx, "DROP TRIGGER IF EXISTS zz_shard_move ON "+t.ident()); err != nil {
			return err
		}
	}
	return n.patiently(ctx, "DROP SCHEMA IF EXISTS shard_move CASCADE")
}

// fence lets writers of moving keys finish and keeps new ones out. It does not stand in line for the lock: a writer that holds
// a row would wait behind it, for one that waits for that row.
func (n *node) fence(ctx context.Context, epoch int64) error {
	return pgx.BeginFunc(ctx, n.db, func(tx pgx.Tx) error {
		for {
			var alone bool
			if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(`+writersLock+`)`).Scan(&alone); err != nil {
				return err
			}
			if alone {
				break
			}
			if !pause(ctx, 4*time.Millisecond) {
				return errTryLater
			}
		}
		_, err := tx.Exec(ctx, `UPDATE shard_move.control SET outgoing = 'fenced', raised = $1`, epoch)
		return err
	})
}

// lowerSQL takes a fence down that was raised under an earlier epoch than one known to be without a hold.
const lowerSQL = `UPDATE shard_move.control SET outgoing = 'capture', incoming = 'closed' WHERE raised < $1 AND outgoing = 'fenced'`

// lower does so where there is a fence at all.
func lower(ctx context.Context, db *pgxpool.Pool, epoch int64) error {
	_, err := db.Exec(ctx, lowerSQL, epoch)
	if hasCode(err, "42P01", "3F000") { // no such table, no such schema
		return nil
	}
	return err
}

// withdraw undoes what an attempt at the cutover has changed here, in the epoch in which there is no hold.
func (n *node) withdraw(ctx context.Context, epoch int64) error {
	if err := lower(ctx, n.db, epoch); err != nil {
		return err
	}
	return n.set(ctx, "incoming", "closed")
}

func (n *node) set(ctx context.Context, what, to string) error {
	_, err := n.db.Exec(ctx, fmt.Sprintf(`UPDATE shard_move.control SET %s = $1`, what), to)
	return err
}

// asMover runs a transaction that the triggers let pass.
func (n *node) asMover(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, n.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL shard_move.role = 'mover'`); err != nil {
			return err
		}
		return fn(tx)
	})
}

// outgoing and incoming are conditions on a row of the table at this shard.
func (n *node) outgoing(t *table, row string) string {
	k := t.key(row)
	return fmt.Sprintf("shard_move.before(%s) = %s AND shard_move.after(%s) <> %s", k, quote(n.id), k, quote(n.id))
}

func (n *node) incoming(t *table, row string) string {
	k := t.key(row)
	return fmt.Sprintf("shard_move.after(%s) = %s AND shard_move.before(%s) <> %s", k, quote(n.id), k, quote(n.id))
}

// delete removes rows in windows of their primary key, children first.
func (n *node) delete(ctx context.Context, t *table, which string, window int, each func(rows int64) error) error {
	var at []string
	for {
		next, err := n.windowEnd(ctx, t, at, window)
		if err != nil {
			return err
		}
		var gone int64
		err = n.asMover(ctx, func(tx pgx.Tx) error {
			var args []any
			cond := t.within("t", at, next, &args) + " AND " + which
			for i, c := range t.children {
				def := t.Children[i]
				if _, err := tx.Exec(ctx, fmt.Sprintf("DELETE FROM %s c USING %s t WHERE c.%s = t.%s AND %s", c.ident(), t.ident(),
					ident(def.Column), ident(def.Parent), cond), args...); err != nil {
					return err
				}
			}
			tag, err := tx.Exec(ctx, fmt.Sprintf("DELETE FROM %s t WHERE %s", t.ident(), cond), args...)
			gone = tag.RowsAffected()
			return err
		})
		if err == nil {
			err = each(gone)
		}
		if err != nil || next == nil {
			return err
		}
		at = next
	}
}

// windowEnd is the primary key, as text, of the last of the next so many rows; nil when there are fewer.
func (n *node) windowEnd(ctx context.Context, t *table, after []string, window int) ([]string, error) {
	var args []any
	cond := t.within("t", after, nil, &args)
	parts := make([]string, len(t.pk))
	for i, c := range t.pk {
		parts[i] = "t." + ident(c.name) + "::text"
	}
	var end []string
	err := n.db.QueryRow(ctx, fmt.Sprintf("SELECT ARRAY[%s] FROM %s t WHERE %s ORDER BY %s OFFSET %d LIMIT 1",
		strings.Join(parts, ", "), t.ident(), cond, names(t.pk, "t."), window-1), args...).Scan(&end)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return end, err
}
