package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/local"
)

// readyFDVar names the descriptor on which a detached platform reports progress to the command that started it.
const readyFDVar = "STAMPEDE_READY_FD"

const readyLine = "ready"

// Detach runs this program again in the background with the same arguments less --detach, shows its progress, and
// returns when it is ready. From then on its log is DATA/log/up.log.
func Detach(ctx context.Context, data string, args []string, progress io.Writer) (running.State, error) {
	self, err := os.Executable()
	if err != nil {
		return running.State{}, err
	}
	log, err := os.CreateTemp("", "stampede-up-*.log") // the data folder is not ours before up has looked at it
	if err != nil {
		return running.State{}, err
	}
	defer func() { _ = os.Remove(log.Name()); _ = log.Close() }()
	r, w, err := os.Pipe()
	if err != nil {
		return running.State{}, err
	}
	defer func() { _ = r.Close() }()
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--detach" || a == "--detach=true" })
	cmd := exec.Command(self, args...) //nolint:gosec // ourselves
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{w}
	cmd.Env = append(os.Environ(), readyFDVar+"=3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		return running.State{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	if !relayProgress(r, progress) {
		_ = cmd.Wait()
		return running.State{}, fmt.Errorf("the platform did not start:\n%s", tail(log.Name(), 2000))
	}
	_ = cmd.Process.Release()
	return running.ReadState(data)
}

// relayProgress copies progress lines until the ready line (true) or the end (false).
func relayProgress(r io.Reader, w io.Writer) bool {
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		if sc.Text() == readyLine {
			return true
		}
		_, _ = fmt.Fprintln(w, sc.Text())
	}
	return false
}

func tail(path string, n int) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-n):])
}

// readyPipe is where a detached platform reports, or nil.
func readyPipe() *os.File {
	fd, err := strconv.Atoi(os.Getenv(readyFDVar))
	if err != nil {
		return nil
	}
	_ = os.Unsetenv(readyFDVar)
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "ready")
}

const downLimit = 90 * time.Second

// Down stops the platform of the data folder and waits until it has let go of the folder. was is false when none ran.
func Down(ctx context.Context, data string) (was bool, err error) {
	if _, err := os.Stat(data); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, downLimit)
	defer cancel()
	holder, running := local.Holder(data)
	if !running {
		return false, nil
	}
	if err := syscall.Kill(holder.Pid, syscall.SIGTERM); err != nil {
		return true, fmt.Errorf("process %d: %w", holder.Pid, err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, running = local.Holder(data); !running {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return true, fmt.Errorf("process %d is still stopping after %v: see %s", holder.Pid, downLimit, filepath.Join(data, "log"))
		case <-tick.C:
		}
	}
}
