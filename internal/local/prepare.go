package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/stampede-shop/stampede/internal/local/pg"
)

// preparePrimary makes the data directory, the first time, and copies of it for the replicas while it is
// not running yet, which is much faster than a base backup. Commits wait for nobody at first.
func (c *pgCluster) preparePrimary(ctx context.Context, m *clusterServer) error {
	if _, ok := pg.Exists(m.DataDir); !ok {
		if m.number != 0 {
			return fmt.Errorf("%s is gone: it has the data since a failover", m.DataDir)
		}
		if err := c.create(ctx, m); err != nil {
			return err
		}
	}
	if c.roles.get().Safe {
		if err := c.roles.change("", func(r *roles) { r.Safe, r.Members = false, nil }); err != nil {
			return err
		}
	}
	return m.Configure(c.settings)
}

func (c *pgCluster) create(ctx context.Context, m *clusterServer) error {
	if err := os.RemoveAll(m.DataDir); err != nil {
		return err
	}
	made := *m.Server
	made.DataDir += ".made"
	if err := os.RemoveAll(made.DataDir); err != nil {
		return err
	}
	if err := made.Init(ctx, pg.InitOptions{}); err != nil {
		return err
	}
	for _, r := range c.others(m) {
		if err := os.RemoveAll(r.DataDir); err != nil {
			return err
		}
		if err := r.CopyStopped(ctx, &made, true); err != nil {
			return err
		}
	}
	return os.Rename(made.DataDir, m.DataDir)
}

// completePrimary makes what the running primary has to have; what is there already is left alone. A promotion that was decided and
// then interrupted is done now.
func (c *pgCluster) completePrimary(ctx context.Context, m *clusterServer) error {
	if m.IsStandby() {
		if err := c.promote(ctx, m); err != nil {
			return err
		}
	}
	if err := m.EnsureRoles(ctx); err != nil {
		return err
	}
	var slots []string
	for _, r := range c.others(m) {
		slots = append(slots, r.slot())
		if pg.NeverFollowed(r.DataDir) && !slices.Contains(c.roles.get().Demoted, r.number) { // the others make theirs with the base backup
			if err := m.EnsureSlot(ctx, r.slot()); err != nil {
				return err
			}
		}
	}
	if err := m.DropSlotsExcept(ctx, slots); err != nil {
		return err
	}
	if err := m.EnsureDatabases(ctx, c.databases, c.extensions); err != nil {
		return err
	}
	return c.record()
}

// promote makes a running standby the primary, with a place for each of the others to follow it from.
func (c *pgCluster) promote(ctx context.Context, m *clusterServer) error {
	if err := m.Promote(ctx); err != nil {
		return err
	}
	for _, r := range c.others(m) {
		if err := m.EnsureSlot(ctx, r.slot()); err != nil {
			return err
		}
	}
	return nil
}

// prepareStandby makes the replica's data directory when there is none, or when it can no longer follow.
// While the primary is away an existing replica starts as it is: it serves what it has.
func (c *pgCluster) prepareStandby(ctx context.Context, m *clusterServer) error {
	primary := c.primary()
	ok, err := c.rejoins(ctx, m, primary)
	if err == nil && ok {
		ok, err = c.follows(ctx, m, primary)
	}
	if err != nil {
		return err
	}
	if !ok {
		if err := c.makeStandby(ctx, m, primary); err != nil {
			return err
		}
	}
	if err := m.MarkStandby(); err != nil {
		return err
	}
	if err := m.Configure(c.standbySettings(m, primary)); err != nil {
		return err
	}
	return c.rejoined(m)
}

func (c *pgCluster) standbySettings(m, primary *clusterServer) pg.Settings {
	return c.settings.With(pg.FollowSettings(primary.Server, m.slot(), m.name))
}

// follows reports whether the replica has a data directory that can go on from where it is.
func (c *pgCluster) follows(ctx context.Context, m, primary *clusterServer) (bool, error) {
	if _, ok := pg.Exists(m.DataDir); !ok || m.rebuild.Load() {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	usable, err := primary.SlotUsable(ctx, m.slot())
	if err != nil { // the primary is away
		return true, nil
	}
	if !usable {
		return false, nil
	}
	return pg.SameCluster(primary.DataDir, m.DataDir), nil
}

// makeStandby copies the running primary.
func (c *pgCluster) makeStandby(ctx context.Context, m, primary *clusterServer) error {
	if err := os.RemoveAll(m.DataDir); err != nil {
		return err
	}
	if err := primary.DropSlot(ctx, m.slot()); err != nil {
		return err
	}
	if err := primary.EnsureSlot(ctx, m.slot()); err != nil {
		return err
	}
	return m.BaseBackup(ctx, primary.Server, m.slot())
}

// rewinding is the file that says: this data directory was being rewound, and is of no use if that was not finished.
func (m *clusterServer) rewinding() string { return m.DataDir + ".rewinding" }

// rejoins makes a former primary able to follow; false when its data has to be made anew. Others are left alone.
func (c *pgCluster) rejoins(ctx context.Context, m, primary *clusterServer) (bool, error) {
	if _, err := os.Stat(m.rewinding()); err == nil {
		return false, nil
	}
	if _, ok := pg.Exists(m.DataDir); !ok || !slices.Contains(c.roles.get().Demoted, m.number) {
		return true, nil
	}
	if err := primary.Ping(ctx); err != nil {
		return false, fmt.Errorf("%s was the primary and can follow only once there is another: %w", m.name, err)
	}
	if err := writeDurably(m.rewinding(), nil); err != nil {
		return false, err
	}
	if err := primary.EnsureSlot(ctx, m.slot()); err != nil {
		return false, err
	}
	if err := m.Rewind(ctx, primary.Server); err != nil {
		if f := c.failover.Load(); f != nil {
			f.log.Warn("the former primary is copied anew", "process", m.name, "reason", err)
		}
		return false, nil
	}
	return true, nil
}

// rejoined notes that a server's data is that of a standby again.
func (c *pgCluster) rejoined(m *clusterServer) error {
	m.rebuild.Store(false)
	if slices.Contains(c.roles.get().Demoted, m.number) {
		err := c.roles.change(m.name+" follows again", func(r *roles) {
			r.Demoted = slices.DeleteFunc(r.Demoted, func(n int) bool { return n == m.number })
		})
		if err != nil {
			return err
		}
	}
	if err := os.Remove(m.rewinding()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
