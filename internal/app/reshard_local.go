package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/local/pg"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/shard/move"
)

// newShard names the shard to bring in, makes its database if it has none, and its schema.
func (r *resharder) newShard(ctx context.Context, t move.Topology) (move.Shard, error) {
	s := move.Shard{ID: r.o.Add.ID, DSN: r.o.Add.DSN, Weight: r.o.Add.Weight}
	if s.ID == "" {
		s.ID = "shard" + strconv.Itoa(lastNumber(t)+1)
	}
	if _, there := t.Shard(s.ID); there {
		return s, fmt.Errorf("shard %q is there already; `stampede shard move --shard %s --weight N` changes its share", s.ID, s.ID)
	}
	if s.DSN == "" {
		var err error
		if s.DSN, err = r.localDatabase(ctx, s.ID); err != nil {
			return s, err
		}
	}
	r.say("making the tables of %s", s.ID)
	return s, postgres.MigrateShard(ctx, s.DSN)
}

func (r *resharder) say(format string, args ...any) {
	if r.o.Progress != nil {
		r.o.Progress(format, args...)
	}
}

func lastNumber(t move.Topology) (n int) {
	for _, s := range t.Shards {
		if i, err := strconv.Atoi(strings.TrimPrefix(s.ID, "shard")); err == nil {
			n = max(n, i)
		}
	}
	return n
}

// server is one PostgreSQL primary of a platform that `up` runs here.
type server struct {
	dsn    *url.URL // of some database on it
	shards int
	bytes  int64
	dir    string // its data directory
}

// localDatabase makes a database on the primary with the fewest shards, or the fewest bytes among those, and records it where the
// next `up` looks.
func (r *resharder) localDatabase(ctx context.Context, id string) (string, error) {
	if _, err := running.ReadState(r.o.Data); err != nil {
		return "", fmt.Errorf("--dsn: only a platform that `stampede up` runs on this machine can make a database itself (%w)", err)
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(id, "shard")); err != nil || n < 1 || id != "shard"+strconv.Itoa(n) {
		return "", fmt.Errorf("--id %s: a platform of `stampede up` has shard1, shard2, …; give --dsn for a database of your own", id)
	}
	servers, err := r.servers(ctx)
	if err != nil {
		return "", err
	}
	best := slices.MinFunc(servers, func(a, b *server) int { return cmp.Or(cmp.Compare(a.shards, b.shards), cmp.Compare(a.bytes, b.bytes)) })
	err = best.admin(ctx, func(c *pgx.Conn) error {
		var there bool
		err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, id).Scan(&there)
		if err == nil && !there {
			_, err = c.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{id}.Sanitize()+" OWNER "+pg.AppRole)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("make the database of %s: %w", id, err)
	}
	r.say("%s is on the primary in %s", id, best.dir)
	return best.database(id), recordShard(best.dir, id)
}

// servers are the primaries that hold the configured shards.
func (r *resharder) servers(ctx context.Context) (list []*server, err error) {
	for _, s := range r.cfg.Shards {
		u, err := url.Parse(s.DSN)
		if err != nil {
			return nil, fmt.Errorf("dsn of %s is not a URL of `stampede up`", s.ID)
		}
		q := u.Query()
		i := slices.IndexFunc(list, func(x *server) bool {
			p := x.dsn.Query()
			return p.Get("host") == q.Get("host") && p.Get("port") == q.Get("port")
		})
		if i < 0 {
			i, list = len(list), append(list, &server{dsn: u})
		}
		list[i].shards++
	}
	for _, x := range list {
		err = errors.Join(err, x.admin(ctx, func(c *pgx.Conn) error {
			return c.QueryRow(ctx, `SELECT current_setting('data_directory'), (SELECT sum(pg_database_size(oid))::bigint FROM pg_database)`).Scan(&x.dir, &x.bytes)
		}))
	}
	return list, err
}

// admin connects as the superuser, who is let in by the socket.
func (x *server) admin(ctx context.Context, fn func(*pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	u := *x.dsn
	q := u.Query()
	q.Set("user", pg.AdminRole)
	u.Path, u.RawQuery = "/postgres", strings.ReplaceAll(q.Encode(), "+", "%20")
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return err
	}
	return errors.Join(fn(conn), conn.Close(ctx))
}

// database is the DSN of another database on the server.
func (x *server) database(name string) string {
	u := *x.dsn
	u.Path = "/" + name
	return u.String()
}

// recordShard notes, next to the servers' data, on which primary a shard is.
func recordShard(dataDir, id string) error {
	path := filepath.Join(filepath.Dir(dataDir), "topology.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	known := map[string]any{}
	if err := json.Unmarshal(raw, &known); err != nil {
		return fmt.Errorf("%s is broken: %w", path, err)
	}
	shards, _ := known["shards"].(map[string]any)
	on, ok := clusterIn(dataDir)
	if shards == nil || !ok {
		return fmt.Errorf("%s does not tell where shards are", path)
	}
	if shards[id] != nil {
		return nil
	}
	shards[id] = on
	added, _ := known["added"].(float64)
	known["added"] = added + 1
	if raw, err = json.MarshalIndent(known, "", "  "); err != nil {
		return err
	}
	return running.WriteFileAtomic(path, append(raw, '\n'), 0o644)
}

var serverFolder = regexp.MustCompile(`^(?:primary(\d+)|replica(\d+)-\d+)$`)

// clusterIn is the number of the cluster that a server's data directory is of: a standby's, too, may be that of the primary.
func clusterIn(dataDir string) (int, bool) {
	m := serverFolder.FindStringSubmatch(filepath.Base(dataDir))
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1] + m[2])
	return n, err == nil
}

// keep writes shards that came in into the platform's configuration, for the commands that read it.
func (r *resharder) keep(mv move.Move) error {
	path := filepath.Join(r.o.Data, running.ConfigFile)
	if _, err := os.Stat(path); err != nil || r.o.Data == "" || mv.State != "done" {
		return nil //nolint:nilerr // configured by somebody else
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		return err
	}
	changed := false
	for _, s := range mv.Next.Shards {
		if !slices.ContainsFunc(cfg.Shards, func(c config.ShardConfig) bool { return c.ID == s.ID }) {
			cfg.Shards, changed = append(cfg.Shards, config.ShardConfig{ID: s.ID, Weight: max(s.Weight, 1), DSN: s.DSN}), true
		}
	}
	if !changed {
		return nil
	}
	return cfg.Save(path)
}
