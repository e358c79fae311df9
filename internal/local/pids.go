package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// pidFile records which processes run, for a supervisor that comes after one that was killed.
type pidFile struct {
	path string

	mu   sync.Mutex
	list map[string]pidEntry
}

type pidEntry struct {
	proc.Identity
	Signal syscall.Signal `json:"signal"` // what makes it end at once
}

func newPidFile(path string) *pidFile { return &pidFile{path: path, list: map[string]pidEntry{}} }

func (f *pidFile) add(name string, pid int, sig syscall.Signal) {
	id, ok := proc.IdentityOf(pid)
	if !ok { // it has ended already
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list[name] = pidEntry{Identity: id, Signal: sig}
	f.write()
}

func (f *pidFile) drop(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.list, name)
	f.write()
}

// write replaces the file. A failure is no reason to stop anything: the file only helps after a crash,
// and the processes die with us in nearly every case.
func (f *pidFile) write() {
	if f.path == "" {
		return
	}
	b, err := json.MarshalIndent(f.list, "", "  ")
	if err == nil {
		_ = writeFile(f.path, append(b, '\n'), 0o644)
	}
}

func (f *pidFile) remove() {
	if f.path != "" {
		_ = os.Remove(f.path)
	}
}

// EndLeftovers ends the processes that a killed supervisor recorded in the file and that still run, and
// removes the file. A process that merely has the same pid is left alone. Returns how many it ended.
func EndLeftovers(ctx context.Context, path string) (int, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var list map[string]pidEntry
	if json.Unmarshal(b, &list) != nil { // half written by a dying machine
		return 0, os.Remove(path)
	}
	ended, err := endAll(ctx, list)
	if err != nil {
		return ended, err
	}
	return ended, os.Remove(path)
}

func endAll(ctx context.Context, list map[string]pidEntry) (int, error) {
	type result struct {
		name string
		err  error
	}
	results, n := make(chan result, len(list)), 0
	for name, e := range list {
		if !e.Alive() {
			continue
		}
		n++
		go func() { results <- result{name, e.End(ctx, e.Signal, 5*time.Second)} }()
	}
	var errs []error
	for range n {
		if r := <-results; r.err != nil {
			errs = append(errs, fmt.Errorf("end %s, left over from an earlier run: %w", r.name, r.err))
		}
	}
	return n - len(errs), errors.Join(errs...)
}

// writeFile replaces a file at once: readers see the old content or the new.
func writeFile(path string, b []byte, mode fs.FileMode) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, b, mode); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
