package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/pg"
	"github.com/stampede-shop/stampede/internal/local/proc"
)

// pgServer is a PostgreSQL of a benchmark's own, set up like the platform's: everything acknowledged is on disk.
type pgServer struct {
	*pg.Server
	dir     string
	spawner *proc.Spawner
	child   *proc.Child
}

// startPG starts one with the default settings and those of more over them.
func startPG(ctx context.Context, more pg.Settings) (_ *pgServer, err error) {
	bin, err := pg.Find(0)
	if err != nil {
		return nil, err
	}
	user, err := proc.Unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "stampede-bench-")
	if err != nil {
		return nil, err
	}
	s := &pgServer{dir: dir, spawner: proc.NewSpawner(), Server: &pg.Server{Bin: bin, User: user,
		DataDir: filepath.Join(dir, "d"), SocketDir: filepath.Join(dir, "s"), Port: 5432}}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if err := errors.Join(os.Chmod(dir, 0o711), user.Chown(dir), user.Mkdir(s.SocketDir)); err != nil {
		return nil, err
	}
	if err := s.Init(ctx, pg.InitOptions{NoSync: true}); err != nil {
		return nil, err
	}
	if err := s.Configure(pg.Durable(pg.Size{Memory: 8 << 30, Instances: 1}).With(more)); err != nil {
		return nil, err
	}
	if s.child, err = s.spawner.Start(s.Command(), pg.DeathSignal); err != nil {
		return nil, err
	}
	if err := s.WaitReady(ctx, s.child.Done()); err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return s, s.EnsureRoles(ctx)
}

// rest writes down all that is in memory, so that what is measured next does not pay for what came before.
func (s *pgServer) rest(ctx context.Context) error {
	return s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, "CHECKPOINT")
		return err
	})
}

// stop ends the server and removes all it wrote.
func (s *pgServer) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if s.child != nil {
		s.child.Stop(ctx, pg.StopSignal, 30*time.Second)
	}
	s.spawner.Close()
	_ = os.RemoveAll(s.dir)
}
