package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Recovered is something that a dead process had injected.
type Recovered struct {
	Fault string `json:"fault"`
	Error string `json:"error,omitempty"` // why it is not undone; it stays in the journal
}

// Recover undoes what processes left that were killed, by their journals in dir. Journals of processes that live are left
// alone. It may be run again, and at the same time by several.
func Recover(ctx context.Context, dir string, r *Registry) ([]Recovered, error) {
	paths, err := filepath.Glob(filepath.Join(dir, journalPattern))
	if err != nil {
		return nil, err
	}
	var done []Recovered
	var errs []error
	for _, path := range paths {
		list, err := recoverFile(ctx, path, r)
		done = append(done, list...)
		errs = append(errs, err)
	}
	return done, errors.Join(errs...)
}

func recoverFile(ctx context.Context, path string, r *Registry) ([]Recovered, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // somebody was quicker
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil, nil // its owner lives, or somebody recovers it now
	}
	if _, err := os.Stat(path); err != nil {
		return nil, nil // somebody recovered it before we had the lock
	}
	_, open, err := readJournal(f)
	if err != nil {
		return nil, fmt.Errorf("chaos: %s: %w; what it announces cannot be undone from here", path, err)
	}
	var done []Recovered
	var failed error
	for _, l := range open {
		rec := Recovered{Fault: l.fault}
		if err := r.recover(ctx, l); err != nil {
			rec.Error = err.Error()
			failed = errors.Join(failed, fmt.Errorf("chaos: undo %s, left by a process that died: %w", l.fault, err))
		}
		done = append(done, rec)
	}
	if failed != nil {
		return done, failed
	}
	return done, os.Remove(path)
}

func (r *Registry) recover(ctx context.Context, l leftover) error {
	f, err := r.Get(l.fault)
	if err != nil || f.Recover == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, defaultUndoTimeout)
	defer cancel()
	return f.Recover(ctx, l.state)
}

// StopOthers tells every other process that has a journal in dir to stop (SIGTERM, upon which it should close its injector),
// kills those that have not after patience, and then undoes what they and dead ones left: the global kill switch. spare are
// pids that are left alone.
func StopOthers(ctx context.Context, dir string, r *Registry, patience time.Duration, spare ...int) ([]Recovered, error) {
	paths, err := filepath.Glob(filepath.Join(dir, journalPattern))
	if err != nil {
		return nil, err
	}
	ends := make(chan error, len(paths))
	for _, path := range paths {
		go func() { ends <- stopOwner(ctx, path, patience, append(spare, os.Getpid())) }()
	}
	var errs []error
	for range paths {
		errs = append(errs, <-ends)
	}
	done, err := Recover(ctx, dir, r)
	return done, errors.Join(append(errs, err)...)
}

func stopOwner(ctx context.Context, path string, patience time.Duration, spare []int) error {
	f, err := os.Open(path)
	if err != nil {
		return nil // it has ended by itself
	}
	defer func() { _ = f.Close() }()
	owner, _, err := readJournal(f)
	if owner.Pid == 0 || err != nil {
		return err
	}
	for _, pid := range spare {
		if owner.Pid == pid {
			return nil
		}
	}
	if err := owner.End(ctx, syscall.SIGTERM, patience); err != nil {
		return fmt.Errorf("chaos: stop the process %d: %w", owner.Pid, err)
	}
	return awaitUnlocked(ctx, f)
}

// unlocks is how long the threads of a process that has ended may take to let go of its files.
const unlocks = 5 * time.Second

// awaitUnlocked waits until nobody holds a journal.
func awaitUnlocked(ctx context.Context, f *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, unlocks)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("chaos: %s is still held: %w", f.Name(), context.Cause(ctx))
		}
	}
	return syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
}
