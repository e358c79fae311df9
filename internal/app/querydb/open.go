package querydb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/shard/move"
	"github.com/stampede-shop/stampede/sqltune"
)

// Database is a database of the platform whose statements can be looked at.
type Database struct {
	Name  string                // catalog, or the shard's id
	DSN   string                // of the server that accepts writes
	Nodes []config.ServerConfig // further servers that answer reads of it
}

// Catalog is the catalogue's name among the databases.
const Catalog = "catalog"

// Databases lists the catalogue and all shards: those of the configuration, and those that came in since.
func Databases(ctx context.Context, cfg config.Config) ([]Database, error) {
	if cfg.Catalog.Primary == "" {
		return nil, fmt.Errorf("%w: catalog.primary, the database to look at", config.ErrNotConfigured)
	}
	list := []Database{{Name: Catalog, DSN: cfg.Catalog.Primary, Nodes: cfg.Catalog.Replicas}}
	for _, s := range cfg.Shards {
		list = append(list, Database{Name: s.ID, DSN: s.DSN, Nodes: s.Replicas})
	}
	known := map[string]bool{}
	for _, d := range list {
		known[d.Name] = true
	}
	for _, s := range shardsInForce(ctx, cfg) {
		if !known[s.ID] {
			list = append(list, Database{Name: s.ID, DSN: s.DSN})
		}
	}
	return list, nil
}

// shardsInForce are those of the catalogue's map; none when it has no map or does not answer.
func shardsInForce(ctx context.Context, cfg config.Config) []move.Shard {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	pool, err := pgxpool.New(ctx, cfg.Catalog.Primary)
	if err != nil {
		return nil
	}
	defer pool.Close()
	st, err := move.NewStore(pool).Read(ctx)
	if err != nil {
		return nil
	}
	return st.Map.Shards
}

// Find finds one by name; shard-1 is shard1.
func Find(list []Database, name string) (Database, error) {
	var names []string
	for _, d := range list {
		if d.Name == name || d.Name == strings.Replace(name, "shard-", "shard", 1) {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return Database{}, fmt.Errorf("there is no database %q: there are %s", name, strings.Join(names, ", "))
}

// Open opens a connection of its own to look at statements with. Nothing of it is shared with the shop.
func Open(ctx context.Context, dsn string) (*pgx.Conn, error) {
	if _, err := pgx.ParseConfig(dsn); err != nil {
		return nil, fmt.Errorf("%w: %w", config.ErrNotConfigured, err)
	}
	return sqltune.Connect(ctx, dsn)
}

// Close closes it, also when the work was interrupted.
func Close(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
