package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/shard/move"
	"github.com/stampede-shop/stampede/sqltune"
)

// QueryDatabase is a database of the platform whose statements can be looked at.
type QueryDatabase struct {
	Name  string         // catalog, or the shard's id
	DSN   string         // of the server that accepts writes
	Nodes []ServerConfig // further servers that answer reads of it
}

// QueryCatalog is the catalogue's name among the databases.
const QueryCatalog = "catalog"

// QueryDatabases lists the catalogue and all shards: those of the configuration, and those that came in since.
func QueryDatabases(ctx context.Context, cfg Config) ([]QueryDatabase, error) {
	if cfg.Catalog.Primary == "" {
		return nil, fmt.Errorf("%w: catalog.primary, the database to look at", ErrNotConfigured)
	}
	list := []QueryDatabase{{Name: QueryCatalog, DSN: cfg.Catalog.Primary, Nodes: cfg.Catalog.Replicas}}
	for _, s := range cfg.Shards {
		list = append(list, QueryDatabase{Name: s.ID, DSN: s.DSN, Nodes: s.Replicas})
	}
	known := map[string]bool{}
	for _, d := range list {
		known[d.Name] = true
	}
	for _, s := range shardsInForce(ctx, cfg) {
		if !known[s.ID] {
			list = append(list, QueryDatabase{Name: s.ID, DSN: s.DSN})
		}
	}
	return list, nil
}

// shardsInForce are those of the catalogue's map; none when it has no map or does not answer.
func shardsInForce(ctx context.Context, cfg Config) []move.Shard {
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

// FindQueryDatabase finds one by name; shard-1 is shard1.
func FindQueryDatabase(list []QueryDatabase, name string) (QueryDatabase, error) {
	var names []string
	for _, d := range list {
		if d.Name == name || d.Name == strings.Replace(name, "shard-", "shard", 1) {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return QueryDatabase{}, fmt.Errorf("there is no database %q: there are %s", name, strings.Join(names, ", "))
}

// OpenQuery opens a connection of its own to look at statements with. Nothing of it is shared with the shop.
func OpenQuery(ctx context.Context, dsn string) (*pgx.Conn, error) {
	if _, err := pgx.ParseConfig(dsn); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotConfigured, err)
	}
	return sqltune.Connect(ctx, dsn)
}

// CloseQuery closes it, also when the work was interrupted.
func CloseQuery(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
