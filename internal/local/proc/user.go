package proc

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// ErrNoUser is returned when we are root and there is no unprivileged user to drop to.
var ErrNoUser = errors.New("running as root and neither the user postgres nor nobody exists: create one, or run as another user")

// User is the unprivileged account that servers run as when we are root. A nil *User stands for
// ourselves; every method accepts it.
type User struct {
	Name     string
	UID, GID uint32
}

// Unprivileged returns whom servers should run as: nil (ourselves) when we are not root, otherwise the
// user postgres, or else nobody.
func Unprivileged() (*User, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil && uid != 0 {
			return &User{Name: name, UID: uint32(uid), GID: uint32(gid)}, nil
		}
	}
	return nil, ErrNoUser
}

// Apply makes cmd run as u.
func (u *User) Apply(cmd *exec.Cmd) {
	if u == nil {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID}
}

// Chown gives path and all below it to u.
func (u *User) Chown(path string) error {
	if u == nil {
		return nil
	}
	return filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, int(u.UID), int(u.GID))
	})
}

// Mkdir makes dir (mode 0700, owned by u); its parent must exist. An existing folder must already be
// a real one that belongs to u, so that nobody else's folder or link is ever used.
func (u *User) Mkdir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return u.Chown(dir)
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || st.Uid != u.uid() {
		return &fs.PathError{Op: "use", Path: dir, Err: errors.New("exists and is not a folder of ours; move it away")}
	}
	return os.Chmod(dir, 0o700)
}

func (u *User) uid() uint32 {
	if u == nil {
		return uint32(os.Geteuid())
	}
	return u.UID
}

// CanReach reports whether u may go through every folder down to dir, by their permission bits.
func (u *User) CanReach(dir string) bool {
	if u == nil {
		return true
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for {
		if !u.canEnter(dir) {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

func (u *User) canEnter(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	mode := info.Mode().Perm()
	switch {
	case st.Uid == u.UID:
		return mode&0o100 != 0
	case st.Gid == u.GID:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}
