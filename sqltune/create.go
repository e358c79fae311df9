package sqltune

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/sqltune/schema"
)

// trialPrefix marks indexes that are on trial: nobody may rely on them, and the next run drops any that it meets.
const trialPrefix = "stampede_trial_"

// keptComment begins the comment of indexes that were kept.
const keptComment = "stampede: kept"

func trialName(p Proposal) string {
	sum := sha256.Sum256([]byte(p.Def()))
	return trialPrefix + hex.EncodeToString(sum[:6])
}

// errInvalid says that PostgreSQL has made an index that it does not trust.
var errInvalid = errors.New("the index came out invalid")

// create creates the index on trial and checks that it is valid.
func (a *applier) create(ctx context.Context, s *site, p Proposal, trial string) error {
	ctx, cancel := context.WithTimeout(ctx, a.o.Build)
	defer cancel()
	if err := unhurried(ctx, s.conn, "CREATE INDEX CONCURRENTLY "+schema.Quote(trial)+" ON "+p.Def()); err != nil {
		return err
	}
	var valid bool
	err := s.conn.QueryRow(ctx, `SELECT i.indisvalid AND i.indisready FROM pg_index i WHERE i.indexrelid = $1::text::regclass`, qualified(p.Schema, trial)).Scan(&valid)
	if err == nil && !valid {
		err = errInvalid
	}
	if err != nil {
		return err
	}
	// statistics of expressions come with ANALYZE; and no statement may go on with a plan from before
	_, err = s.conn.Exec(ctx, "ANALYZE "+p.TableName())
	return err
}

// unhurried runs a statement that may take long and must not be in a transaction.
func unhurried(ctx context.Context, conn *pgx.Conn, sql string) error {
	if _, err := conn.Exec(ctx, "SET statement_timeout = 0"); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "SET lock_timeout = 0"); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, sql)
	return err
}

// keep gives the index its name.
func (a *applier) keep(ctx context.Context, s *site, p Proposal, trial, why string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTime) // decided is decided: all targets get it
	defer cancel()
	return pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "ALTER INDEX "+qualified(p.Schema, trial)+" RENAME TO "+schema.Quote(p.Name)); err != nil {
			return err
		}
		comment := strings.ReplaceAll(fmt.Sprintf("%s %s: %s", keptComment, time.Now().UTC().Format(time.DateOnly), why), "'", "''")
		_, err := tx.Exec(ctx, "COMMENT ON INDEX "+qualified(p.Schema, p.Name)+" IS '"+comment+"'")
		return err
	})
}

// dropTime is how long dropping may take: it waits for transactions that use the table.
const dropTime = time.Minute

// dropAll drops an index on trial from all targets, also when the work was interrupted.
func (a *applier) dropAll(ctx context.Context, p Proposal, trial string) (err error) {
	for _, s := range a.on {
		if e := a.drop(ctx, s, qualified(p.Schema, trial)); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: index %s is left, the next run drops it: %w", s.Name, trial, e))
		}
	}
	return err
}

// drop drops an index over the site's connection, or over a new one when that was cut.
func (a *applier) drop(ctx context.Context, s *site, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTime)
	defer cancel()
	conn := s.conn
	if conn.IsClosed() {
		fresh, err := Connect(ctx, s.DSN)
		if err != nil {
			return err
		}
		defer func() { _ = fresh.Close(context.WithoutCancel(ctx)) }()
		conn = fresh
	}
	return unhurried(ctx, conn, "DROP INDEX CONCURRENTLY IF EXISTS "+name)
}

// sweep drops indexes on trial that an earlier run has left.
func (a *applier) sweep(ctx context.Context, s *site) error {
	rows, err := s.conn.Query(ctx, `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'i' AND starts_with(c.relname::text, $1)`, trialPrefix)
	if err != nil {
		return err
	}
	type found struct{ Schema, Name string }
	left, err := pgx.CollectRows(rows, pgx.RowToStructByPos[found])
	if err != nil {
		return err
	}
	for _, f := range left {
		a.o.Report("%s: dropping %s, left by an earlier run", s.Name, f.Name)
		if err := a.drop(ctx, s, qualified(f.Schema, f.Name)); err != nil {
			return err
		}
	}
	return nil
}

// settle gives an index that was kept to the targets that do not have it: those where a run was cut off while it kept it everywhere.
func (a *applier) settle(ctx context.Context) error {
	if len(a.on) < 2 {
		return nil
	}
	has := make([]map[string]keptIndex, len(a.on))
	all := map[string]keptIndex{}
	for i, s := range a.on {
		kept, err := keptOn(ctx, s.conn)
		if err != nil {
			return err
		}
		has[i] = kept
		maps.Copy(all, kept)
	}
	for name, k := range all {
		for i, s := range a.on {
			if _, ok := has[i][name]; ok {
				continue
			}
			a.o.Report("%s: creating %s, which other databases have kept", s.Name, k.Name)
			if err := a.copyKept(ctx, s, k); err != nil {
				return fmt.Errorf("%s: %s: %w", s.Name, k.Name, err)
			}
		}
	}
	return nil
}

// keptIndex is an index that a run has kept.
type keptIndex struct{ Schema, Name, Def string }

func keptOn(ctx context.Context, conn *pgx.Conn) (map[string]keptIndex, error) {
	rows, err := conn.Query(ctx, `SELECT n.nspname, c.relname, pg_get_indexdef(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'i' AND starts_with(obj_description(c.oid, 'pg_class'), $1)`, keptComment)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[keptIndex])
	kept := map[string]keptIndex{}
	for _, k := range list {
		kept[qualified(k.Schema, k.Name)] = k
	}
	return kept, err
}

// copyKept makes an index as it is elsewhere, on trial until it is whole.
func (a *applier) copyKept(ctx context.Context, s *site, k keptIndex) (err error) {
	ctx, cancel := context.WithTimeout(ctx, a.o.Build)
	defer cancel()
	p := Proposal{Name: k.Name}
	p.Schema = k.Schema
	_, def, _ := strings.Cut(k.Def, " ON ")
	sum := sha256.Sum256([]byte(def))
	trial := trialPrefix + hex.EncodeToString(sum[:6])
	if err := unhurried(ctx, s.conn, "CREATE INDEX CONCURRENTLY "+trial+" ON "+def); err != nil {
		return errors.Join(err, a.drop(ctx, s, qualified(k.Schema, trial)))
	}
	return a.keep(ctx, s, p, trial, "as on other databases")
}
