package main

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/replica"
	"github.com/stampede-shop/stampede/shard"
)

// routing is four shards with their replica.
type routing struct {
	group   *replica.Group
	cluster *shard.Cluster
	sets    map[string]*replica.Set
	keys    [routingRows]string
	pools   [routingRows]*pgxpool.Pool // of each key's shard, on the replica
	token   replica.Token              // of a session that has written everywhere
}

// patient does not take a replica out because this machine is busy with something else: the comparison would be with the primary.
func patient() replica.Options {
	return replica.Options{CheckTimeout: 10 * time.Second, MaxLatency: -1}
}

func newRouting(ctx context.Context, c *cluster) (*routing, error) {
	r := &routing{sets: map[string]*replica.Set{}}
	var infos []shard.Info
	primaries, replicas := map[string]*pgxpool.Pool{}, map[string]*pgxpool.Pool{}
	line := &replica.Line{}
	for _, s := range c.Shards {
		p, err := c.pool(ctx, s.DSN, routingCallers)
		if err != nil {
			return nil, err
		}
		q, err := c.poolOver(ctx, line, s.Replicas[0].DSN, routingCallers)
		if err != nil {
			return nil, err
		}
		list := []replica.Replica{{Name: "replica-1", Pool: q, Line: line}}
		if r.group == nil {
			r.group = replica.NewGroup(p, list, patient())
		}
		if r.sets[s.ID], err = r.group.Set(s.ID, p, list); err != nil {
			return nil, err
		}
		infos, primaries[s.ID], replicas[s.ID] = append(infos, shard.Info{ID: s.ID}), p, q
		if _, err := p.Exec(ctx, "CREATE TABLE r (k text PRIMARY KEY, v int NOT NULL)"); err != nil {
			return nil, err
		}
	}
	ring, err := shard.NewRing(infos...)
	if err != nil {
		return nil, err
	}
	if r.cluster, err = shard.New(ring, primaries, shard.Options{}); err != nil {
		return nil, err
	}
	return r, r.fill(ctx, replicas)
}

// poolOver is pool, of connections that a line can cut.
func (c *cluster) poolOver(ctx context.Context, line *replica.Line, dsn string, conns int) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn + "&pool_max_conns=" + strconv.Itoa(conns))
	if err != nil {
		return nil, err
	}
	p, err := line.Open(ctx, cfg)
	if err == nil {
		c.open = append(c.open, p)
	}
	return p, err
}

func (r *routing) fill(ctx context.Context, replicas map[string]*pgxpool.Pool) error {
	cctx, collected := replica.WithCollector(ctx)
	for i := range r.keys {
		r.keys[i] = "key-" + strconv.Itoa(i)
		n, err := r.cluster.OnShard(r.keys[i])
		if err != nil {
			return err
		}
		r.pools[i] = replicas[n.ID]
		if err := r.sets[n.ID].Write(cctx, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO r VALUES ($1, $2)", r.keys[i], i)
			return err
		}); err != nil {
			return err
		}
	}
	r.token = collected.Token()
	return nil
}

// ready waits until the replica answers for every shard.
func (r *routing) ready(ctx context.Context) error {
	ctx = replica.WithToken(ctx, r.token)
	for i := range r.keys {
		for node := ""; node != "replica-1"; {
			if err := r.view(ctx, i, func(n string) { node = n }); err != nil {
				return err
			}
		}
	}
	return nil
}

const routingSQL = "SELECT v FROM r WHERE k = $1"

func (r *routing) direct(ctx context.Context, i int) error {
	var v int
	return r.pools[i].QueryRow(ctx, routingSQL, r.keys[i]).Scan(&v)
}

func (r *routing) routed(ctx context.Context, i int) error { return r.view(ctx, i, nil) }

func (r *routing) view(ctx context.Context, i int, seen func(node string)) error {
	n, err := r.cluster.OnShard(r.keys[i])
	if err != nil {
		return err
	}
	return r.sets[n.ID].View(ctx, func(ctx context.Context, db replica.Reader) error {
		if seen != nil {
			seen(db.Node())
		}
		var v int
		return db.QueryRow(ctx, routingSQL, r.keys[i]).Scan(&v)
	})
}
