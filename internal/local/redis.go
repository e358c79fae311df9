package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// ErrNoRedis is returned when redis-server is not installed.
var ErrNoRedis = errors.New("redis-server not found in PATH; install it: apt-get install redis-server (Debian, Ubuntu) or brew install redis (macOS)")

// findRedis looks in PATH and where package managers put it outside of it.
func findRedis() (string, error) {
	for _, name := range []string{"redis-server", "/usr/bin/redis-server", "/opt/homebrew/bin/redis-server", "/usr/local/bin/redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoRedis
}

// redis is one Redis used as a cache: bounded memory, the least recently used goes first, no data on disk.
type redis struct {
	binary string
	user   *proc.User
	port   int
	socket string
	memory int64 // bytes
	// Of a member of a cluster only: the port of its bus, and the folder where it notes who the others are.
	bus int
	dir string
}

func (r redis) addr() string { return "127.0.0.1:" + strconv.Itoa(r.port) }

func (r redis) process(name, logFile string) Process {
	return Process{
		Name: name, LogFile: logFile, StopTimeout: 5 * time.Second,
		Before: func(context.Context) error {
			if err := os.Remove(r.socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		},
		Command: func() (*exec.Cmd, error) { return r.command(), nil },
		Ready:   func(ctx context.Context) error { return redisPing(ctx, r.socket) },
	}
}

func (r redis) command() *exec.Cmd {
	dir := "/"
	if r.bus != 0 {
		dir = r.dir
	}
	args := []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(r.port), "--tcp-backlog", "511",
		"--unixsocket", r.socket, "--unixsocketperm", "700",
		"--maxmemory", strconv.FormatInt(r.memory, 10), "--maxmemory-policy", "allkeys-lru",
		"--save", "", "--appendonly", "no", "--dir", dir, "--daemonize", "no",
		"--hash-max-ziplist-value", "65536", // by its old name, which every version knows; why is said in package cache
		"--lazyfree-lazy-eviction", "yes", "--lazyfree-lazy-expire", "yes", "--lazyfree-lazy-user-del", "yes"}
	if r.bus != 0 {
		args = append(args, r.clusterSettings()...)
	}
	cmd := exec.Command(r.binary, args...)
	cmd.Dir = "/"
	r.user.Apply(cmd)
	return cmd
}

// redisPing asks for a PONG through the socket.
func redisPing(ctx context.Context, socket string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(time.Second)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	if err == nil && !strings.HasPrefix(string(answer[:n]), "+PONG") {
		err = fmt.Errorf("redis answered a PING with %q", answer[:n])
	}
	return err
}
