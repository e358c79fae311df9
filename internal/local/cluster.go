package local

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/stampede-shop/stampede/internal/local/pg"
)

// catalogDB is the name of the catalogue's database.
const catalogDB = "catalog"

// pgCluster is one primary with its streaming replicas. On disk: primaryK and replicaK-R in the root.
type pgCluster struct {
	number     int
	primary    *pg.Server
	replicas   []*pg.Server
	settings   pg.Settings
	databases  []string
	extensions []string     // made in every database; only a superuser can
	record     func() error // notes, once they are made, which databases are here
	root       string
	logDir     string
}

// newCluster lays out cluster k; like is what all its servers have in common.
func newCluster(k, replicas int, like pg.Server, root string) *pgCluster {
	c := &pgCluster{number: k, root: root}
	server := func(dir string, n int) *pg.Server {
		s := like
		s.DataDir, s.Port = dir, 5432+(maxReplicas+4)*(k-1)+n
		return &s
	}
	c.primary = server(filepath.Join(root, fmt.Sprintf("primary%d", k)), 0)
	for r := 1; r <= replicas; r++ {
		c.replicas = append(c.replicas, server(c.replicaDir(r), r))
	}
	return c
}

// on names a database on every replica.
func (c *pgCluster) on(database string) []Named {
	var list []Named
	for i, r := range c.replicas {
		list = append(list, Named{Name: c.replicaName(i + 1), DSN: r.DSN(database)})
	}
	return list
}

// maxReplicas keeps within the replication slots and senders of a primary, with some to spare.
const maxReplicas = 16

func slotName(replica int) string { return fmt.Sprintf("stampede_replica_%d", replica) }

// primaryName and replicaName are process names: plain on the first cluster, numbered on the others.
func (c *pgCluster) primaryName() string { return "primary" + c.suffix() }

func (c *pgCluster) replicaName(r int) string { return fmt.Sprintf("replica%s-%d", c.suffix(), r) }

func (c *pgCluster) suffix() string {
	if c.number == 1 {
		return ""
	}
	return fmt.Sprint(c.number)
}

func (c *pgCluster) processes() []Process {
	list := []Process{c.process(c.primary, c.primaryName())}
	list[0].Before, list[0].After = c.preparePrimary, c.completePrimary
	for i, replica := range c.replicas {
		p := c.process(replica, c.replicaName(i+1))
		p.Needs = []string{c.primaryName()}
		p.Before = func(ctx context.Context) error { return c.prepareReplica(ctx, i+1) }
		list = append(list, p)
	}
	return list
}

// process is what primaries and replicas have in common. The first start may take long: after a crash
// the log has to be replayed, and sessions of a killed server be waited for.
func (c *pgCluster) process(s *pg.Server, name string) Process {
	return Process{
		Name:         name,
		Command:      func() (*exec.Cmd, error) { return s.Command(), nil },
		Ready:        s.Ping,
		StartTimeout: 5 * time.Minute, StartTries: 40,
		StopSignal: pg.StopSignal, StopTimeout: 30 * time.Second, DeathSignal: pg.DeathSignal,
		LogFile: filepath.Join(c.logDir, name+".log"),
	}
}

// preparePrimary makes the data directory, the first time, and copies of it for the replicas while it is
// not running yet, which is much faster than a base backup.
func (c *pgCluster) preparePrimary(ctx context.Context) error {
	if _, ok := pg.Exists(c.primary.DataDir); !ok {
		if err := c.create(ctx); err != nil {
			return err
		}
	}
	if err := c.primary.Configure(c.settings); err != nil {
		return err
	}
	return c.primary.ClearStale(ctx)
}

func (c *pgCluster) create(ctx context.Context) error {
	if err := os.RemoveAll(c.primary.DataDir); err != nil {
		return err
	}
	made := *c.primary
	made.DataDir += ".made"
	if err := os.RemoveAll(made.DataDir); err != nil {
		return err
	}
	if err := made.Init(ctx, pg.InitOptions{}); err != nil {
		return err
	}
	for _, r := range c.replicas {
		if err := os.RemoveAll(r.DataDir); err != nil {
			return err
		}
		if err := r.CopyStopped(ctx, &made, true); err != nil {
			return err
		}
	}
	return os.Rename(made.DataDir, c.primary.DataDir)
}

// completePrimary makes what the running primary has to have; what is there already is left alone.
func (c *pgCluster) completePrimary(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := c.primary.EnsureRoles(ctx); err != nil {
		return err
	}
	var slots []string
	for i := range c.replicas {
		slots = append(slots, slotName(i+1))
		if pg.NeverFollowed(c.replicas[i].DataDir) { // the others make theirs with the base backup
			if err := c.primary.EnsureSlot(ctx, slotName(i+1)); err != nil {
				return err
			}
		}
	}
	if err := c.primary.DropSlotsExcept(ctx, slots); err != nil {
		return err
	}
	if err := c.primary.EnsureDatabases(ctx, c.databases, c.extensions); err != nil {
		return err
	}
	return c.record()
}

// prepareReplica makes the replica's data directory when there is none, or when it can no longer follow.
// While the primary is away an existing replica starts as it is: it serves what it has.
func (c *pgCluster) prepareReplica(ctx context.Context, number int) error {
	replica, slot := c.replicas[number-1], slotName(number)
	if err := replica.ClearStale(ctx); err != nil {
		return err
	}
	ok, err := c.follows(ctx, replica, slot)
	if err != nil {
		return err
	}
	if !ok {
		if err := c.rebuild(ctx, replica, slot); err != nil {
			return err
		}
	}
	if err := replica.MarkStandby(); err != nil {
		return err
	}
	return replica.Configure(c.settings.With(pg.FollowSettings(c.primary, slot, c.replicaName(number))))
}

// follows reports whether the replica has a data directory that can go on from where it is.
func (c *pgCluster) follows(ctx context.Context, replica *pg.Server, slot string) (bool, error) {
	if _, ok := pg.Exists(replica.DataDir); !ok {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	usable, err := c.primary.SlotUsable(ctx, slot)
	if err != nil { // the primary is away
		return true, nil
	}
	if !usable {
		return false, nil
	}
	return pg.SameCluster(c.primary.DataDir, replica.DataDir), nil
}

func (c *pgCluster) rebuild(ctx context.Context, replica *pg.Server, slot string) error {
	if err := os.RemoveAll(replica.DataDir); err != nil {
		return err
	}
	if err := c.primary.DropSlot(ctx, slot); err != nil {
		return err
	}
	if err := c.primary.EnsureSlot(ctx, slot); err != nil {
		return err
	}
	return replica.BaseBackup(ctx, c.primary, slot)
}

// dropOldReplicas removes the data of replicas that are no longer asked for.
func (c *pgCluster) dropOldReplicas() error {
	for r := len(c.replicas) + 1; r <= maxReplicas; r++ {
		if err := os.RemoveAll(c.replicaDir(r)); err != nil {
			return err
		}
	}
	return nil
}

func (c *pgCluster) replicaDir(r int) string {
	return filepath.Join(c.root, fmt.Sprintf("replica%d-%d", c.number, r))
}
