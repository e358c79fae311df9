package pg

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// FollowSettings make s a streaming standby of primary, using the replication slot called slot.
// MakeStandby must have marked its data directory.
func FollowSettings(primary *Server, slot, name string) Settings {
	return Settings{
		"primary_conninfo": fmt.Sprintf("host=%s port=%d user=%s application_name=%s",
			conninfoQuote(primary.SocketDir), primary.Port, AdminRole, conninfoQuote(name)),
		"primary_slot_name": slot,
	}
}

func conninfoQuote(v string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v) + "'"
}

// MarkStandby tells the server to start as a standby.
func (s *Server) MarkStandby() error { return s.write("standby.signal", "") }

// NeverFollowed reports whether a data directory is a copy that was not started as a standby yet.
func NeverFollowed(dataDir string) bool {
	_, made := Exists(dataDir)
	_, err := os.Stat(filepath.Join(dataDir, "standby.signal"))
	return made && err != nil
}

// SameCluster reports whether two data directories stem from one Init, so that one can follow the other.
func SameCluster(a, b string) bool {
	idA, errA := clusterID(a)
	idB, errB := clusterID(b)
	return errA == nil && errB == nil && idA == idB
}

// clusterID is the number that Init gave: the control file begins with it.
func clusterID(dataDir string) (id [8]byte, err error) {
	f, err := os.Open(filepath.Join(dataDir, "global", "pg_control"))
	if err != nil {
		return id, err
	}
	defer f.Close()
	_, err = io.ReadFull(f, id[:])
	return id, err
}

// CopyStopped makes s's data directory from that of a cleanly stopped (or never started) server. Much
// faster than a base backup. When both belong to one cluster the caller marks s as a standby. With sync
// the copy is forced to disk.
func (s *Server) CopyStopped(ctx context.Context, from *Server, sync bool) error {
	tmp := s.DataDir + ".new"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := CopyTree(tmp, from.DataDir); err != nil {
		_ = os.RemoveAll(tmp)
		return err
	}
	if err := s.User.Chown(tmp); err != nil {
		return err
	}
	if sync {
		if err := s.run(ctx, "initdb", "--sync-only", "-D", tmp); err != nil {
			return err
		}
	}
	return os.Rename(tmp, s.DataDir)
}

// BaseBackup makes s's data directory from the running primary, keeping the log from there on in slot,
// which must exist.
func (s *Server) BaseBackup(ctx context.Context, primary *Server, slot string) error {
	tmp := s.DataDir + ".new"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	err := s.run(ctx, "pg_basebackup", "-D", tmp, "-h", primary.SocketDir, "-p", fmt.Sprint(primary.Port),
		"-U", AdminRole, "-w", "--checkpoint=fast", "--wal-method=stream", "--slot="+slot)
	if err != nil {
		_ = os.RemoveAll(tmp)
		return fmt.Errorf("copy the primary for a replica: %w", err)
	}
	return os.Rename(tmp, s.DataDir)
}

// EnsureSlot makes the physical replication slot on this primary unless it is there. The log is kept
// from now on.
func (s *Server) EnsureSlot(ctx context.Context, slot string) error {
	return s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SELECT pg_create_physical_replication_slot($1, true)
			WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)`, slot)
		return err
	})
}

// CopyTree copies a folder of plain files and folders; dst must not exist.
func CopyTree(dst, src string) error {
	return filepath.WalkDir(src, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dst, rel)
		if d.IsDir() {
			return os.Mkdir(to, 0o700)
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("copy %s: not a plain file", path)
		}
		return copyFile(to, path)
	})
}

func copyFile(dst, src string) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
	}()
	_, err = out.ReadFrom(in)
	return err
}
