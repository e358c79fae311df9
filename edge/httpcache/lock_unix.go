//go:build unix

package httpcache

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const lockName = "lock"

// lockDir makes the folder this cache's own until the file is closed or the process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: %s: give each edge a Dir of its own, or stop the other one first: %w", ErrInUse, dir, err)
	}
	return f, nil
}
