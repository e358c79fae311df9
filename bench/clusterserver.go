package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local"
)

// cluster is a primary with replicas and four shards, as the platform runs them, in a folder of its own.
type cluster struct {
	*local.Layout
	sup  *local.Supervisor
	dir  string
	open []*pgxpool.Pool
}

// withCluster runs a comparison on one that is started for it, and stopped and removed afterwards.
func withCluster(ctx context.Context, replicas int, compare func(context.Context, *cluster) (result, error)) (_ result, err error) {
	c, err := startCluster(ctx, replicas)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	return compare(ctx, c)
}

// pool opens connections that stop closes.
func (c *cluster) pool(ctx context.Context, dsn string, conns int) (*pgxpool.Pool, error) {
	p, err := pgxpool.New(ctx, dsn+"&pool_max_conns="+strconv.Itoa(conns))
	if err == nil {
		c.open = append(c.open, p)
	}
	return p, err
}

func startCluster(ctx context.Context, replicas int) (_ *cluster, err error) {
	dir, err := os.MkdirTemp("", "stampede-bench-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // the servers' user has to get through
		return nil, err
	}
	if c.Layout, err = local.Open(ctx, local.Options{Data: filepath.Join(dir, "data"), Replicas: replicas}); err != nil {
		return nil, err
	}
	if c.sup, err = local.NewSupervisor(c.Processes, local.SupervisorOptions{PidFile: c.Data.PidFile()}); err != nil {
		return nil, err
	}
	return c, c.sup.Start(ctx)
}

// stop closes the pools, ends the servers and removes all they wrote.
func (c *cluster) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	for _, p := range c.open {
		p.Close()
	}
	if c.sup != nil {
		errs = append(errs, c.sup.Stop(ctx))
	}
	if c.Layout != nil {
		errs = append(errs, c.Layout.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}
