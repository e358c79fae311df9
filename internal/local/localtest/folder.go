package localtest

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/stampede-shop/stampede/internal/local/pg"
	"github.com/stampede-shop/stampede/internal/local/proc"
)

// prefix starts the name of every folder made here, so that orphans are recognised.
const prefix = "stampede-test-"

// tempRoot is where the folder goes: the usual place for temporary files, or /tmp when that one is too
// deep for a socket's path or closed to the account that PostgreSQL runs as.
func tempRoot(user *proc.User) string {
	root := os.TempDir()
	longest := filepath.Join(root, prefix+"1234567890", "pg1234567890", "s")
	if len(longest) > pg.MaxSocketDir || !user.CanReach(root) {
		return "/tmp"
	}
	return root
}

// makeFolder makes a folder that is marked as in use for as long as the file stays open, which is at
// most as long as we live. A sibling that sweeps may take the folder in the moment before it is marked;
// then another one is made.
func makeFolder(root string) (string, *os.File, error) {
	for {
		dir, err := os.MkdirTemp(root, prefix)
		if err != nil {
			return "", nil, err
		}
		f, err := os.OpenFile(filepath.Join(dir, "in-use"), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			continue
		}
		if lock(f) && still(f) {
			// others may pass through (the servers' own folders below are closed), nobody may look
			return dir, f, os.Chmod(dir, 0o711)
		}
		_ = f.Close()
	}
}

func lock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// still reports whether f is yet what its name leads to.
func still(f *os.File) bool {
	ours, err1 := f.Stat()
	there, err2 := os.Stat(f.Name())
	return err1 == nil && err2 == nil && os.SameFile(ours, there)
}

// sweep removes folders whose test binary was killed before it could. One without the lock file may be
// a sibling's that is just being made; it is left alone.
func sweep(root string) {
	dirs, _ := filepath.Glob(filepath.Join(root, prefix+"*"))
	for _, dir := range dirs {
		f, err := os.OpenFile(filepath.Join(dir, "in-use"), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if lock(f) {
			_ = os.RemoveAll(dir)
		}
		_ = f.Close()
	}
}
