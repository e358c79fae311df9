package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/replica"
	"github.com/stampede-shop/stampede/shard"
)

const (
	routingCallers = 16
	routingRounds  = 60
	routingTime    = 250 * time.Millisecond // short and many: what else the machine does then falls on both alike
	routingRows    = 1000
)

// benchRouting reads rows by key from four shards' replica, with 16 callers: by shard and replica (ring, choice of the node,
// session token), and by the right pool, known beforehand. Both use the same pools. The ratio is of the rates.
func benchRouting(ctx context.Context) (_ result, err error) {
	c, err := startCluster(ctx, 1)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	r, err := newRouting(ctx, c)
	if err != nil {
		return result{}, err
	}
	defer r.close()
	if err := r.ready(ctx); err != nil {
		return result{}, err
	}
	var ours, anchor, ratios []float64
	for i := range routingRounds + 4 { // the first warm up
		rates, err := r.pair(ctx, i%2 == 0)
		if err != nil {
			return result{}, err
		}
		if i >= 4 {
			ours, anchor, ratios = append(ours, rates[0]), append(anchor, rates[1]), append(ratios, rates[0]/rates[1])
		}
	}
	return result{Unit: "reads/s", Ours: middle(ours), Anchor: middle(anchor), Ratio: middle(ratios),
		Spread: (slices.Max(ours) - slices.Min(ours)) / middle(ours), Runs: routingRounds,
		Details: map[string]any{"callers": routingCallers, "overhead_percent": 100 * (1 - middle(ratios))}}, nil
}

// pair measures both ways, ours first or last.
func (r *routing) pair(ctx context.Context, oursFirst bool) (rates [2]float64, err error) {
	ways := [2]func(context.Context, int) error{r.routed, r.direct}
	for i := range ways {
		if !oursFirst {
			i = 1 - i
		}
		if rates[i], err = r.measure(ctx, ways[i]); err != nil {
			return rates, err
		}
	}
	return rates, nil
}

func middle(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// routing is four shards with their replica.
type routing struct {
	group   *replica.Group
	cluster *shard.Cluster
	sets    map[string]*replica.Set
	keys    [routingRows]string
	pools   [routingRows]*pgxpool.Pool // of each key's shard, on the replica
	token   replica.Token
	open    []*pgxpool.Pool
}

func (r *routing) pool(ctx context.Context, dsn string) (*pgxpool.Pool, error) {
	p, err := pgxpool.New(ctx, dsn+"&pool_max_conns="+strconv.Itoa(routingCallers))
	if err == nil {
		r.open = append(r.open, p)
	}
	return p, err
}

func newRouting(ctx context.Context, c *cluster) (*routing, error) {
	r := &routing{sets: map[string]*replica.Set{}}
	var infos []shard.Info
	primaries, replicas := map[string]*pgxpool.Pool{}, map[string]*pgxpool.Pool{}
	for _, s := range c.Shards {
		p, err := r.pool(ctx, s.DSN)
		if err != nil {
			return nil, err
		}
		q, err := r.pool(ctx, s.Replicas[0].DSN)
		if err != nil {
			return nil, err
		}
		list := []replica.Replica{{Name: "replica-1", Pool: q}}
		if r.group == nil {
			r.group = replica.NewGroup(p, list, replica.Options{})
		}
		set, err := r.group.Set(s.ID, p, list)
		if err != nil {
			return nil, err
		}
		infos, primaries[s.ID], replicas[s.ID], r.sets[s.ID] = append(infos, shard.Info{ID: s.ID}), p, q, set
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
	r.token = collected.Token() // a session that has written everywhere
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

// measure is the rate of reads.
func (r *routing) measure(ctx context.Context, read func(context.Context, int) error) (float64, error) {
	ctx = replica.WithToken(ctx, r.token)
	tctx, cancel := context.WithTimeout(ctx, routingTime)
	defer cancel()
	var n atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, routingCallers)
	start := time.Now()
	for range routingCallers {
		wg.Go(func() {
			for tctx.Err() == nil { // a read that has begun is finished
				if err := read(ctx, rand.IntN(routingRows)); err != nil {
					errs <- err
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	select {
	case err := <-errs:
		return 0, err
	default:
		return float64(n.Load()) / took.Seconds(), nil
	}
}

func (r *routing) close() {
	r.group.Close()
	for _, p := range r.open {
		p.Close()
	}
}
