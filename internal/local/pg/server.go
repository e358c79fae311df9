package pg

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// Roles made in every data directory. The application owns its databases and may watch the server,
// but is not a superuser.
const (
	AdminRole = "postgres"
	AppRole   = "stampede"
)

// Signals a postmaster understands.
const (
	StopSignal  = syscall.SIGINT  // fast: disconnects everybody, writes a checkpoint, ends
	DeathSignal = syscall.SIGQUIT // immediate: ends at once; the next start recovers from the log
)

// Server is one PostgreSQL server, running or not.
type Server struct {
	Bin       Binaries
	User      *proc.User // whom it runs as; nil is ourselves
	DataDir   string
	SocketDir string // at most MaxSocketDir bytes
	Port      int    // only names the socket; no TCP port is opened
}

// MaxSocketDir is how long a socket folder's path may be: the socket's own path must fit into the 104
// bytes that the smallest system allows.
const MaxSocketDir = 103 - len("/.s.PGSQL.65535")

// DSN is the connection string of a database for the application's role.
func (s *Server) DSN(database string) string { return s.dsn(AppRole, database) }

// AdminDSN is the connection string of a database for the superuser.
func (s *Server) AdminDSN(database string) string { return s.dsn(AdminRole, database) }

func (s *Server) dsn(role, database string) string {
	q := url.Values{"host": {s.SocketDir}, "port": {strconv.Itoa(s.Port)}, "user": {role}}
	// a blank as %20: the programs that read this take a + for a +
	return "postgres:///" + url.PathEscape(database) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// Socket is the path of the Unix socket.
func (s *Server) Socket() string {
	return filepath.Join(s.SocketDir, fmt.Sprintf(".s.PGSQL.%d", s.Port))
}

// Command runs the server in the foreground, with args after the ones that say where it lives.
func (s *Server) Command(args ...string) *exec.Cmd {
	all := append([]string{"-D", s.DataDir, "-k", s.SocketDir, "-p", strconv.Itoa(s.Port), "-h", ""}, args...)
	cmd := exec.Command(s.Bin.Path("postgres"), all...)
	s.setUp(cmd)
	return cmd
}

// setUp gives cmd a clean environment (no PG* variable of the caller's may leak in) and the user.
func (s *Server) setUp(cmd *exec.Cmd) {
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + os.Getenv("PATH")}
	for _, name := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if v := os.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	s.User.Apply(cmd)
}

// run runs one of PostgreSQL's programs to its end, which comes early when ctx ends or we die.
func (s *Server) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.Command(s.Bin.Path(program), args...)
	s.setUp(cmd)
	out, err := proc.Run(ctx, cmd)
	if err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, lastLines(out, 2000))
	}
	return nil
}

func lastLines(b []byte, n int) string {
	if len(b) > n {
		b = b[len(b)-n:]
	}
	return string(b)
}

// Ping reports nil once the server answers queries (a standby: read queries).
func (s *Server) Ping(ctx context.Context) error {
	return s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, "SELECT 1")
		return err
	})
}

// Admin connects to a database as the superuser for the duration of fn.
func (s *Server) Admin(ctx context.Context, database string, fn func(*pgx.Conn) error) error {
	cfg, err := pgx.ParseConfig(s.AdminDSN(database))
	if err != nil {
		return err
	}
	cfg.RuntimeParams["synchronous_commit"] = "local" // what we do must not hang on standbys: some of it is to help them
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	return fn(conn)
}
