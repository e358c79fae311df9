package localtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// RedisServer is a running throw-away Redis that keeps nothing on disk. Kill, Restart, Pause and Resume
// are for one goroutine at a time.
type RedisServer struct {
	Addr string // host:port on the loopback, the same after Restart

	b     *bench
	dir   string
	port  int
	args  []string
	child *proc.Child
}

// Redis starts a server for this test alone and stops it at the end of the test. args are further
// options of redis-server, such as "--maxmemory", "10mb".
func Redis(tb testing.TB, args ...string) *RedisServer {
	tb.Helper()
	b := need(tb)
	var last error
	for range 5 { // somebody else may take the free port first
		r, err := b.newRedis(args)
		if err == nil {
			tb.Cleanup(r.close)
			return r
		}
		last = err
	}
	tb.Fatalf("localtest: start Redis: %v", last)
	return nil
}

func (b *bench) newRedis(args []string) (*RedisServer, error) {
	dir, err := b.folder("redis")
	if err != nil {
		return nil, err
	}
	port, err := proc.FreePort()
	if err != nil {
		return nil, err
	}
	r := &RedisServer{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), b: b, dir: dir, port: port, args: args}
	if err := r.run(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return r, nil
}

func (r *RedisServer) run() error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return errors.New("redis-server not found: apt-get install redis-server, or: brew install redis")
	}
	args := []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(r.port), "--save", "", "--appendonly", "no", "--dir", r.dir}
	cmd := exec.Command(path, append(args, r.args...)...)
	r.b.user.Apply(cmd)
	cmd.Dir = "/"
	if r.child, err = r.b.start(r.dir, cmd, syscall.SIGKILL); err != nil {
		return err
	}
	ctx, cancel := background()
	defer cancel()
	if err := r.ready(ctx); err != nil {
		r.Kill()
		return describe(err, r.dir)
	}
	return nil
}

func (r *RedisServer) ready(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if ping(r.Addr) == nil {
			break
		}
		select {
		case <-r.child.Done():
			return errors.New("redis-server ended before it was ready")
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	select {
	case <-r.child.Done(): // then it was not ours that answered
		return errors.New("redis-server found its port taken")
	default:
		return nil
	}
}

// ping asks one PING.
func ping(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 7)
	n, err := conn.Read(answer)
	if err == nil && string(answer[:n]) != "+PONG\r\n" {
		err = fmt.Errorf("PING was answered by %q", answer[:n])
	}
	return err
}

// Kill ends the server with SIGKILL; everything in it is lost.
func (r *RedisServer) Kill() {
	_ = r.child.Signal(syscall.SIGKILL)
	<-r.child.Done()
}

// Restart starts the server again at the same address, empty; a running one is killed first.
func (r *RedisServer) Restart(tb testing.TB) {
	tb.Helper()
	r.Kill()
	if err := r.run(); err != nil {
		tb.Fatalf("localtest: restart Redis: %v", err)
	}
}

// Pause freezes the server: connections stay open and nothing is answered. Resume undoes it.
func (r *RedisServer) Pause() { _ = r.child.Signal(syscall.SIGSTOP) }

// Resume lets a paused server run.
func (r *RedisServer) Resume() { _ = r.child.Signal(syscall.SIGCONT) }

func (r *RedisServer) close() {
	r.Kill()
	_ = os.RemoveAll(r.dir)
}
