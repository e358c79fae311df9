package sqltune

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// Errors that say that a statement was not run.
var (
	// ErrNotOne says that a text is no statement, or several.
	ErrNotOne = errors.New("give exactly one statement")
	// ErrNotQuery says that a statement is neither a read nor a write of rows.
	ErrNotQuery = errors.New("only SELECT, VALUES, TABLE, INSERT, UPDATE, DELETE and MERGE can be looked at")
	// ErrWrites says that a statement writes, or locks rows, where only reads are run.
	ErrWrites = errors.New("this statement writes or locks rows; only reads are run here")
	// ErrUnsafe says that a statement calls a function whose effects no transaction undoes.
	ErrUnsafe = errors.New("this statement calls a function whose effects a roll-back does not undo")
	// ErrParams says that a statement has parameters and no values for them.
	ErrParams = errors.New("this statement has parameters ($1 …): write values in their place")
)

// unsafe are functions that reach out of their transaction.
var unsafe = []string{"pg_terminate_backend", "pg_cancel_backend", "pg_reload_conf", "pg_rotate_logfile", "pg_switch_wal", "pg_promote",
	"pg_create_restore_point", "pg_wal_replay_pause", "pg_wal_replay_resume", "pg_logical_emit_message", "pg_create_physical_replication_slot",
	"pg_create_logical_replication_slot", "pg_drop_replication_slot", "pg_replication_slot_advance", "pg_logical_slot_get_changes",
	"pg_stat_reset", "pg_stat_reset_shared", "pg_stat_statements_reset", "pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock",
	"pg_try_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_all", "set_config", "lo_import", "lo_export", "pg_file_write",
	"dblink", "dblink_exec", "dblink_send_query", "dblink_connect", "pg_read_file", "pg_read_binary_file", "pg_ls_dir", "pg_backup_start",
	"pg_backup_stop", "pg_start_backup", "pg_stop_backup", "query_to_xml", "pg_export_snapshot"}

// check is the one statement of a text and what it does.
func check(sql string) (string, sqltext.Kind, error) {
	list, ok := sqltext.Split(sql)
	if !ok {
		return "", sqltext.Other, fmt.Errorf("%w: a string, quoted name or comment does not end", ErrNotOne)
	}
	if len(list) != 1 {
		return "", sqltext.Other, fmt.Errorf("%w: there are %d", ErrNotOne, len(list))
	}
	kind := sqltext.KindOf(list[0])
	if kind == sqltext.Other {
		return "", kind, ErrNotQuery
	}
	for _, name := range sqltext.Functions(list[0]) {
		if slices.Contains(unsafe, name) {
			return "", kind, fmt.Errorf("%w: %s", ErrUnsafe, name)
		}
	}
	return list[0], kind, nil
}

// hasParams tells whether a statement has parameters.
func hasParams(sql string) bool {
	tokens, _ := sqltext.Lex(sql)
	return slices.ContainsFunc(tokens, func(t sqltext.Token) bool { return t.Class == sqltext.Param })
}

// Limits bound what a statement may take; the zero value works.
type Limits struct {
	// Timeout is how long a statement may run. Default 30 s.
	Timeout time.Duration
	// LockTimeout is how long it may wait for a lock. Default 1 s.
	LockTimeout time.Duration

	whole time.Duration // of all statements of a transaction; 0: of one
}

func (l *Limits) defaults() {
	if l.Timeout <= 0 {
		l.Timeout = 30 * time.Second
	}
	if l.LockTimeout <= 0 {
		l.LockTimeout = time.Second
	}
}

const (
	grace    = 5 * time.Second // that the server has to end a statement by itself
	endAfter = 5 * time.Second // how long a roll-back may take
)

// rolledBack runs fn in a transaction that is always rolled back, read-only unless mayWrite.
func rolledBack(ctx context.Context, conn *pgx.Conn, l Limits, mayWrite bool, fn func(context.Context, pgx.Tx) error) (err error) {
	l.defaults()
	ctx, cancel := context.WithTimeout(ctx, max(l.Timeout, l.whole)+grace)
	defer cancel()
	o := pgx.TxOptions{AccessMode: pgx.ReadOnly}
	if mayWrite {
		o.AccessMode = pgx.ReadWrite
	}
	tx, err := conn.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endAfter)
		defer cancel()
		if e := tx.Rollback(ctx); e != nil && !errors.Is(e, pgx.ErrTxClosed) {
			err = errors.Join(err, e)
		}
	}()
	_, err = tx.Exec(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = %d; SET LOCAL standard_conforming_strings = on",
		l.Timeout.Milliseconds(), l.LockTimeout.Milliseconds()), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	return fn(ctx, tx)
}
