package local

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/stampede-shop/stampede/internal/local/pg"
	"github.com/stampede-shop/stampede/internal/local/proc"
)

// When we are root, PostgreSQL runs as somebody who may be unable to reach the data folder, for
// instance below root's home. Then its data is kept in a folder of its own under here, and the file
// pgPointer in the data folder says where.
const (
	elsewhere   = "/var/lib/stampede"
	pgPointer   = "pg.location"
	backPointer = "belongs-to" // in the folder elsewhere: the data folder, so that only its owner drops it
)

// hash names something after the data folder, for places shared by all data folders.
func (d *Data) hash() string {
	sum := sha256.Sum256([]byte(d.Dir))
	return hex.EncodeToString(sum[:6])
}

// pgRoot is the folder for PostgreSQL's data: pg in the data folder, or one elsewhere. It is there
// afterwards and belongs to user.
func (d *Data) pgRoot(user *proc.User) (string, error) {
	if dir, err := d.pointedTo(); dir != "" || err != nil {
		return dir, err
	}
	if user.CanReach(d.Dir) {
		return d.Path("pg"), user.Mkdir(d.Path("pg"))
	}
	if err := os.MkdirAll(elsewhere, 0o755); err != nil {
		return "", fmt.Errorf("the user %s cannot reach %s: %w", user.Name, d.Dir, err)
	}
	dir := filepath.Join(elsewhere, d.hash())
	if err := user.Mkdir(dir); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, backPointer), []byte(d.Dir), 0o600); err != nil {
		return "", err
	}
	return dir, writeFile(d.Path(pgPointer), []byte(dir+"\n"), 0o644)
}

// pointedTo is the folder elsewhere, or "" when there is none. It must be one that we made for this
// data folder.
func (d *Data) pointedTo() (string, error) {
	b, err := os.ReadFile(d.Path(pgPointer))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	dir := filepath.Clean(strings.TrimSpace(string(b)))
	owner, err := os.ReadFile(filepath.Join(dir, backPointer))
	if err != nil || filepath.Dir(dir) != elsewhere || string(owner) != d.Dir {
		return "", fmt.Errorf("%s names %s, which was not made for this folder (was it moved or copied?); start over with --fresh in a new folder",
			d.Path(pgPointer), dir)
	}
	return dir, nil
}

// dropElsewhere removes what is kept outside for this data folder. A pointer to somewhere that is not
// ours is dropped, what it points to is left alone.
func (d *Data) dropElsewhere() error {
	dir, err := d.pointedTo()
	if err != nil || dir == "" {
		return nil
	}
	err = os.RemoveAll(dir)
	_ = os.Remove(elsewhere) // if nobody else uses it
	return err
}

// serverUser is whom the servers run as: when we are root, whoever the data belongs to already, so that
// a platform started by somebody is not taken away from them, otherwise an unprivileged account.
func (d *Data) serverUser() (*proc.User, error) {
	user, err := proc.Unprivileged()
	if user == nil || err != nil {
		return nil, err
	}
	info, err := os.Lstat(d.Path("pg"))
	if err != nil {
		return user, nil
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && st.Uid != user.UID {
		return &proc.User{Name: fmt.Sprintf("with id %d", st.Uid), UID: st.Uid, GID: st.Gid}, nil
	}
	return user, nil
}

// sockets is a folder for Unix sockets, only for user: in the data folder when the path is short enough
// and user can reach it, otherwise among the temporary files.
func (d *Data) sockets(user *proc.User) (string, error) {
	if dir := d.Path("sock"); len(dir) <= pg.MaxSocketDir && user.CanReach(d.Dir) {
		return dir, user.Mkdir(dir)
	}
	root := os.TempDir()
	name := "stampede-" + d.hash()
	if len(filepath.Join(root, name)) > pg.MaxSocketDir || !user.CanReach(root) {
		root = "/tmp"
	}
	dir := filepath.Join(root, name)
	return dir, user.Mkdir(dir)
}
