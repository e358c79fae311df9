package localtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Kill ends the server with SIGKILL, like a crash, and returns when it is gone.
func (p *PostgresServer) Kill() {
	_ = p.child.Signal(syscall.SIGKILL)
	<-p.child.Done()
}

// KillAll ends the server and all that serves it with SIGKILL, as a power cut would: what was not handed to the operating
// system by now is lost, also that of commits that did not wait for the disk. Kill leaves sessions, and the process that
// writes the log, a moment to go on.
func (p *PostgresServer) KillAll(tb testing.TB) {
	tb.Helper()
	ctx, cancel := background()
	defer cancel()
	err := p.server.Admin(ctx, "postgres", func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "SELECT pid FROM pg_stat_activity")
		if err != nil {
			return err
		}
		pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			return err
		}
		_ = p.child.Signal(syscall.SIGKILL) // first: it would restart the others
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return nil
	})
	if err != nil {
		tb.Fatalf("localtest: kill all of PostgreSQL: %v", err)
	}
	<-p.child.Done()
}

// Restart starts the server again after Kill or KillAll, and returns when it answers; a running one is stopped
// first.
func (p *PostgresServer) Restart(tb testing.TB) {
	tb.Helper()
	p.stop()
	ctx, cancel := background()
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.run()
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), stillAttached) || ctx.Err() != nil {
			tb.Fatalf("localtest: restart PostgreSQL: %v", err)
		}
		<-tick.C
	}
}

// stillAttached is what a server says when sessions of its killed predecessor have not noticed yet that
// it is gone; they do in a moment.
const stillAttached = "pre-existing shared memory block"

// Pause stops the postmaster from running: nobody can connect, connections that exist go on. Resume
// undoes it.
func (p *PostgresServer) Pause() { _ = p.child.Signal(syscall.SIGSTOP) }

// Resume lets a paused server run.
func (p *PostgresServer) Resume() { _ = p.child.Signal(syscall.SIGCONT) }

// describe adds the end of a server's log to an error.
func describe(err error, dir string) error {
	b, readErr := os.ReadFile(filepath.Join(dir, "log"))
	if readErr != nil {
		return err
	}
	if len(b) > 3000 {
		b = b[len(b)-3000:]
	}
	return fmt.Errorf("%w; its log ends with:\n%s", err, bytes.TrimSpace(b))
}
