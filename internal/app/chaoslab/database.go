package chaoslab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/internal/local"
	"github.com/stampede-shop/stampede/internal/local/pg"
)

// Names of the faults of databases.
const (
	replicaPauseFault = "replica-pause"
	diskSlowFault     = "disk-slow"
	databaseFullFault = "database-full"
)

const chaosSQLTimeout = 10 * time.Second

// DatabaseFaults are those of the PostgreSQL servers of a platform.
func DatabaseFaults(l *local.Layout) []chaos.Fault {
	d := chaosDatabases{l}
	return []chaos.Fault{
		{
			Name: replicaPauseFault, About: "a replica replays nothing any more, and falls behind", Blast: "reads of the catalogue from that replica", Limit: 5 * time.Minute,
			Params:    []chaos.Param{{Name: "target", About: "the replica's process, or @replica for one of them", Required: true}},
			Available: func(context.Context) error { return d.replicated() },
			Plan:      d.planPause, Recover: recoverSQL(resumeReplay),
		},
		{
			Name: diskSlowFault, About: "every commit waits as for a slow disk (PostgreSQL's commit_delay)", Blast: "all writes of one primary", Limit: 5 * time.Minute,
			Params: []chaos.Param{
				{Name: "target", About: "the primary's process, or @primary for whoever that is", Required: true},
				{Name: "delay", About: "of each commit, at most 100ms", Kind: chaos.Duration, Default: "50ms"},
			},
			Plan: d.planSlow, Recover: recoverSQL(quickDisk),
		},
		{
			Name: databaseFullFault, About: "a database takes nothing new, as when its disk is full (SQLSTATE 53100)", Blast: "all writes to one shard", Limit: 5 * time.Minute,
			Params: []chaos.Param{{Name: "database", About: "the shard, like shard1", Required: true}},
			Plan:   d.planFull, Recover: recoverSQL(emptyDisk),
		},
	}
}

type chaosDatabases struct{ l *local.Layout }

func (d chaosDatabases) replicated() error {
	if len(d.l.CatalogServers) < 2 {
		return errors.New("there are no replicas: start with `stampede up --replicas 1` or more")
	}
	return nil
}

// admin is the DSN of a server, by its process, for the superuser.
func (d chaosDatabases) admin(name string) (string, error) {
	servers := PostgresServers(d.l)
	i := slices.IndexFunc(servers, func(s local.Named) bool { return s.Name == name })
	if i < 0 {
		names := make([]string, len(servers))
		for i, s := range servers {
			names[i] = s.Name
		}
		return "", fmt.Errorf("%w: there is no PostgreSQL server %q; there are %s", chaos.ErrParams, name, strings.Join(names, ", "))
	}
	u, err := url.Parse(servers[i].DSN)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set("user", pg.AdminRole)
	u.RawQuery, u.Path = strings.ReplaceAll(q.Encode(), "+", "%20"), "/postgres"
	return u.String(), nil
}

// sqlFault is the plan of a fault that is done and undone in one database.
func sqlFault(target, dsn string, do, undo func(context.Context, *pgx.Conn) error) chaos.Plan {
	back := func(ctx context.Context) error { return onDatabase(ctx, dsn, undo) }
	return chaos.Plan{Target: target, State: dsn, Inject: func(ctx context.Context, _ func(any) error) (chaos.Undo, error) {
		if err := onDatabase(ctx, dsn, do); err != nil {
			return nil, errors.Join(err, back(context.WithoutCancel(ctx)))
		}
		return back, nil
	}}
}

// recoverSQL undoes in the database that a journal names.
func recoverSQL(undo func(context.Context, *pgx.Conn) error) func(context.Context, json.RawMessage) error {
	return func(ctx context.Context, state json.RawMessage) error {
		var dsn string
		if err := json.Unmarshal(state, &dsn); err != nil {
			return err
		}
		return onDatabase(ctx, dsn, undo)
	}
}

func onDatabase(ctx context.Context, dsn string, f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, chaosSQLTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return f(ctx, conn)
}

func runSQL(ctx context.Context, conn *pgx.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func (d chaosDatabases) planPause(_ context.Context, v chaos.Values) (chaos.Plan, error) {
	dsn, err := d.admin(v.Text("target"))
	return sqlFault("replay of "+v.Text("target"), dsn, func(ctx context.Context, c *pgx.Conn) error {
		return runSQL(ctx, c, "SELECT pg_wal_replay_pause()")
	}, resumeReplay), err
}

// resumeReplay lets a replica go on; one that was promoted meanwhile, or started anew, does not stand still.
func resumeReplay(ctx context.Context, c *pgx.Conn) error {
	return runSQL(ctx, c, "SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_replay_resume() END")
}

func (d chaosDatabases) planSlow(_ context.Context, v chaos.Values) (chaos.Plan, error) {
	delay := v.Duration("delay")
	if delay <= 0 || delay > 100*time.Millisecond {
		return chaos.Plan{}, fmt.Errorf("%w: delay=%v: above 0, at most 100ms", chaos.ErrParams, delay)
	}
	dsn, err := d.admin(v.Text("target"))
	return sqlFault("disk of "+v.Text("target"), dsn, func(ctx context.Context, c *pgx.Conn) error {
		return runSQL(ctx, c, "ALTER SYSTEM SET commit_delay = "+strconv.FormatInt(delay.Microseconds(), 10), "ALTER SYSTEM SET commit_siblings = 0", "SELECT pg_reload_conf()")
	}, quickDisk), err
}

func quickDisk(ctx context.Context, c *pgx.Conn) error {
	return runSQL(ctx, c, "ALTER SYSTEM RESET commit_delay", "ALTER SYSTEM RESET commit_siblings", "SELECT pg_reload_conf()")
}

func (d chaosDatabases) planFull(_ context.Context, v chaos.Values) (chaos.Plan, error) {
	name := v.Text("database")
	i := slices.IndexFunc(d.l.Shards, func(s local.Shard) bool { return s.ID == name })
	if i < 0 {
		return chaos.Plan{}, fmt.Errorf("%w: there is no shard %q; they are shard1 to shard%d", chaos.ErrParams, name, len(d.l.Shards))
	}
	return sqlFault("disk of "+name, d.l.Shards[i].DSN, fillDisk, emptyDisk), nil
}

const diskFull = "chaos_disk_full"

// fillDisk makes every statement that would add a row version fail as when the disk is full.
func fillDisk(ctx context.Context, c *pgx.Conn) error {
	err := runSQL(ctx, c, "CREATE OR REPLACE FUNCTION "+diskFull+`() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$`)
	if err != nil {
		return err
	}
	return eachTable(ctx, c, func(table string) string {
		return "CREATE OR REPLACE TRIGGER " + diskFull + " BEFORE INSERT OR UPDATE ON " + table + " FOR EACH STATEMENT EXECUTE FUNCTION " + diskFull + "()"
	})
}

func emptyDisk(ctx context.Context, c *pgx.Conn) error {
	err := eachTable(ctx, c, func(table string) string { return "DROP TRIGGER IF EXISTS " + diskFull + " ON " + table })
	if err != nil {
		return err
	}
	return runSQL(ctx, c, "DROP FUNCTION IF EXISTS "+diskFull)
}

// eachTable changes one table after another: a lock on one is waited for by nobody who holds another.
func eachTable(ctx context.Context, c *pgx.Conn, statement func(table string) string) error {
	rows, err := c.Query(ctx, "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%' ORDER BY 1")
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if err := runSQL(ctx, c, "SET lock_timeout = '500ms'"); err != nil {
		return err
	}
	for _, t := range tables {
		for err = errLockTimeout; isLockTimeout(err) && ctx.Err() == nil; { // shoppers go first
			err = runSQL(ctx, c, statement(t))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var errLockTimeout = &pgconn.PgError{Code: "55P03"}

func isLockTimeout(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == errLockTimeout.Code || e.Code == "40P01")
}

// PostgresServers are the servers of all clusters, each with some database on it.
func PostgresServers(l *local.Layout) (list []local.Named) {
	seen := map[string]bool{}
	add := func(servers []local.Named) {
		for _, s := range servers {
			if !seen[s.Name] {
				seen[s.Name] = true
				list = append(list, s)
			}
		}
	}
	add(l.CatalogServers)
	for _, s := range l.Shards {
		add(s.Servers)
	}
	return list
}
