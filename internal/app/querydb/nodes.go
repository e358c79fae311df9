package querydb

import (
	"context"
	"fmt"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/sqltune"
)

// Targets are the databases whose indexes go together with those of the one that is named: the catalogue alone, or all shards,
// which have the same tables.
func Targets(list []Database, name string) ([]sqltune.Target, error) {
	if name != "shards" {
		d, err := Find(list, name)
		if err != nil {
			return nil, err
		}
		if d.Name == Catalog {
			return []sqltune.Target{{Name: d.Name, DSN: d.DSN}}, nil
		}
	}
	var targets []sqltune.Target
	for _, d := range list {
		if d.Name != Catalog {
			targets = append(targets, sqltune.Target{Name: d.Name, DSN: d.DSN})
		}
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("%w: shards, the databases to look at", config.ErrNotConfigured)
	}
	return targets, nil
}

// Nodes are the servers that count statements of databases: for each its primary, and further servers that answer reads. Each is
// named DATABASE or DATABASE@SERVER.
func Nodes(list []Database) (nodes []sqltune.Target) {
	for _, d := range list {
		nodes = append(nodes, sqltune.Target{Name: d.Name, DSN: d.DSN})
		for i, s := range d.Nodes {
			nodes = append(nodes, sqltune.Target{Name: d.Name + "@" + s.NameAt(i), DSN: s.DSN})
		}
	}
	return nodes
}

// Workload reads what all nodes have counted. A server that is met twice, because it is the primary at the moment and listed as
// a server, too, is read once. Nodes that do not answer are named, not fatal, as long as one does.
func Workload(ctx context.Context, nodes []sqltune.Target, l sqltune.Limits) (list []sqltune.Statement, absent []string, err error) {
	seen := map[string]bool{}
	for _, n := range nodes {
		one, id, nodeErr := nodeWorkload(ctx, n, l)
		if nodeErr != nil {
			if ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			absent = append(absent, fmt.Sprintf("%s: %v", n.Name, nodeErr))
			err = nodeErr
			continue
		}
		if !seen[id] {
			seen[id] = true
			list = append(list, one...)
		}
	}
	if len(seen) > 0 {
		err = nil
	}
	return list, absent, err
}

// nodeWorkload reads one node's statistics, and what tells its server from others: where it listens and when it was started.
func nodeWorkload(ctx context.Context, n sqltune.Target, l sqltune.Limits) (list []sqltune.Statement, id string, err error) {
	conn, err := Open(ctx, n.DSN)
	if err != nil {
		return nil, "", err
	}
	defer Close(conn)
	err = conn.QueryRow(ctx, `SELECT concat_ws(' ', current_database(), current_setting('data_directory', true), pg_postmaster_start_time(),
		current_setting('port'), inet_server_addr(), pg_is_in_recovery())`).Scan(&id)
	if err != nil {
		return nil, "", err
	}
	list, err = sqltune.Workload(ctx, conn, n.Name, l)
	return list, id, err
}

// Scans are the scans of indexes on all nodes that answer, by "schema.index".
func Scans(ctx context.Context, nodes []sqltune.Target) map[string]float64 {
	scans := map[string]float64{}
	for _, n := range nodes {
		conn, err := Open(ctx, n.DSN)
		if err != nil {
			continue
		}
		_ = sqltune.AddScans(ctx, conn, scans)
		Close(conn)
	}
	return scans
}
