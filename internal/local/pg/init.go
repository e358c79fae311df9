package pg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// InitOptions are choices made once, when the data directory is made.
type InitOptions struct {
	NoSync bool // do not wait for the disk: for throw-away servers
}

const hba = "# only who may enter the socket's folder gets here\nlocal all all trust\nlocal replication all trust\n"

// Init makes the data directory: UTF-8, byte order for sorting (so that prefix searches use plain
// indexes), the system's UTF-8 rules for letters where it has them. It works in a folder beside
// DataDir and renames it at the end, so an interrupted Init leaves nothing that looks finished.
// DataDir's parent must exist and User must be able to reach it.
func (s *Server) Init(ctx context.Context, o InitOptions) error {
	tmp := s.DataDir + ".new"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := s.initdb(ctx, tmp, o); err != nil {
		_ = os.RemoveAll(tmp)
		return err
	}
	if err := os.WriteFile(filepath.Join(tmp, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return err
	}
	if err := s.User.Chown(tmp); err != nil {
		return err
	}
	return os.Rename(tmp, s.DataDir)
}

// initdb tries the best letter rules first; not every system has them all.
func (s *Server) initdb(ctx context.Context, dir string, o InitOptions) error {
	var err error
	for _, ctype := range []string{"C.UTF-8", "en_US.UTF-8", "C"} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := s.User.Mkdir(dir); err != nil {
			return err
		}
		args := []string{"-D", dir, "-U", AdminRole, "-A", "trust", "-E", "UTF8", "--locale=C", "--lc-ctype=" + ctype, "--no-instructions"}
		if o.NoSync {
			args = append(args, "--no-sync", "--wal-segsize=4")
		}
		if err = s.run(ctx, "initdb", args...); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("make the database folder %s: %w", s.DataDir, err)
	}
	return nil
}

// Exists reports whether the data directory has been made, and by which major version.
func Exists(dataDir string) (major int, ok bool) {
	b, err := os.ReadFile(filepath.Join(dataDir, "PG_VERSION"))
	if err != nil {
		return 0, false
	}
	return number(string(b)), true
}
