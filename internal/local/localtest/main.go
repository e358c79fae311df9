package localtest

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// bench is what the test binary's servers stand on: a folder, the account they run as, and what has to
// be undone at the end.
type bench struct {
	dir     string
	lock    *os.File // held while we live, so that others can tell our folder from an orphan
	user    *proc.User
	spawner *proc.Spawner

	mu    sync.Mutex
	stops []func()

	shared sharedPostgres
	tmpl   template
}

var (
	current   *bench
	currentMu sync.Mutex
)

// Main runs the tests, then stops every server that they started, removes all folders, and exits with
// the tests' code. To be called from TestMain.
func Main(m interface{ Run() int }) {
	b, err := newBench()
	if err != nil {
		println("localtest:", err.Error())
		os.Exit(1)
	}
	currentMu.Lock()
	current = b
	currentMu.Unlock()

	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		b.close()
		os.Exit(130)
	}()
	code := m.Run()
	signal.Stop(interrupted)
	b.close()
	os.Exit(code)
}

// need returns the bench, or ends the test when TestMain forgot to call Main.
func need(tb testing.TB) *bench {
	tb.Helper()
	currentMu.Lock()
	defer currentMu.Unlock()
	if current == nil {
		tb.Fatal("localtest: call localtest.Main(m) from this package's TestMain")
	}
	return current
}

func newBench() (*bench, error) {
	user, err := proc.Unprivileged()
	if err != nil {
		return nil, err
	}
	root := tempRoot(user)
	sweep(root)
	dir, lock, err := makeFolder(root)
	if err != nil {
		return nil, err
	}
	return &bench{dir: dir, lock: lock, user: user, spawner: proc.NewSpawner()}, nil
}

// onClose registers something to undo at the end; the last registered goes first.
func (b *bench) onClose(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stops = append(b.stops, fn)
}

func (b *bench) close() {
	b.mu.Lock()
	stops := b.stops
	b.stops = nil
	b.mu.Unlock()
	for i := len(stops) - 1; i >= 0; i-- {
		stops[i]()
	}
	b.spawner.Close()
	_ = os.RemoveAll(b.dir)
	_ = b.lock.Close()
}

// folder makes a fresh folder for a server, owned by the account it runs as.
func (b *bench) folder(name string) (string, error) {
	dir, err := os.MkdirTemp(b.dir, name)
	if err != nil {
		return "", err
	}
	return dir, b.user.Chown(dir)
}

// start starts a server process that writes its output to DIR/log.
func (b *bench) start(dir string, cmd *exec.Cmd, death syscall.Signal) (*proc.Child, error) {
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	return b.spawner.Start(cmd, death)
}

const startTimeout = 60 * time.Second

func background() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), startTimeout)
}
