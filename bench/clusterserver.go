package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/stampede-shop/stampede/internal/local"
)

// cluster is a primary with replicas and four shards, as the platform runs them, in a folder of its own.
type cluster struct {
	*local.Layout
	sup *local.Supervisor
	dir string
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

// stop ends the servers and removes all they wrote.
func (c *cluster) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	if c.sup != nil {
		errs = append(errs, c.sup.Stop(ctx))
	}
	if c.Layout != nil {
		errs = append(errs, c.Layout.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}
