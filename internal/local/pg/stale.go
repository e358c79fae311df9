package pg

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// ClearStale makes room for a start after a crash: it ends a server that still runs on this data
// directory, and removes lock files that name a process which is not such a server. Sessions of a
// killed server may still hold its memory; then the start fails, and is to be tried again until they
// have noticed. Only for whoever has made sure that nobody else starts servers here.
func (s *Server) ClearStale(ctx context.Context) error {
	file := filepath.Join(s.DataDir, "postmaster.pid")
	b, err := os.ReadFile(file)
	if err == nil {
		if err := s.endRunning(ctx, number(string(b)), file); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range []string{s.Socket(), s.Socket() + ".lock"} {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// endRunning ends the process if it is a server on our data directory. When the pid belongs to somebody
// else by now, the lock file goes: PostgreSQL would take that process for a server. Otherwise the file
// stays, because PostgreSQL uses it to find sessions that are left.
func (s *Server) endRunning(ctx context.Context, pid int, file string) error {
	id, ok := proc.IdentityOf(pid)
	if !ok {
		return nil
	}
	if !s.runsHere(pid) {
		return os.Remove(file)
	}
	return id.End(ctx, DeathSignal, 10*time.Second)
}

// runsHere reports whether a process is a PostgreSQL server on our data directory.
func (s *Server) runsHere(pid int) bool {
	line := proc.CommandLine(pid)
	program, args, _ := strings.Cut(line, " ")
	return filepath.Base(program) == "postgres" && strings.Contains(args+" ", "-D "+s.DataDir+" ")
}
