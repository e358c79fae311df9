package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// marker is the file that makes a folder a data folder of ours: nothing is ever dropped from a folder
// without it. While somebody uses the folder they hold a lock on it, and it names them.
const marker = ".stampede-data"

// Errors of a data folder.
var (
	ErrNotOurs = errors.New("not a data folder of stampede")
	ErrInUse   = errors.New("data folder in use")
)

type markerContent struct {
	Format int           `json:"format"` // 1
	Owner  proc.Identity `json:"owner"`  // who holds the lock, or held it last
}

// Data is a data folder that this process holds: nobody else can open it until Close.
type Data struct {
	Dir  string // absolute
	lock *os.File
}

// OpenData takes hold of a data folder, making it if need be. A folder with other things in it is
// refused (ErrNotOurs), one that another process holds too (ErrInUse, naming its pid). Processes left
// over from a killed run are ended first. fresh then drops everything in it, and what was kept
// elsewhere for it.
func OpenData(ctx context.Context, dir string, fresh bool) (*Data, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := adopt(dir); err != nil {
		return nil, err
	}
	lock, err := lockMarker(dir)
	if err != nil {
		return nil, err
	}
	d := &Data{Dir: dir, lock: lock}
	if _, err = EndLeftovers(ctx, d.PidFile()); err == nil && fresh {
		err = d.drop()
	}
	if err == nil {
		err = d.claim()
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// adopt makes sure that dir is there and carries the marker; an empty folder gets it.
func adopt(dir string) error {
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // the account that the servers run as has to get through
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	path := filepath.Join(dir, marker)
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(list) > 0 {
		return fmt.Errorf("%w: %s holds other things (%s, …); choose another --data, or an empty folder", ErrNotOurs, dir, list[0].Name())
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

func lockMarker(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, marker), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	for range 20 {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil || readMarker(f).Owner.Alive() {
			break
		}
		time.Sleep(10 * time.Millisecond) // somebody only looks who holds it, or is just ending
	}
	if err != nil {
		content := readMarker(f)
		_ = f.Close()
		return nil, fmt.Errorf("%w: %s is used by process %d; stop that one first (stampede down --data %s), or choose another --data",
			ErrInUse, dir, content.Owner.Pid, ShellWord(dir))
	}
	return f, nil
}

func readMarker(f *os.File) (m markerContent) {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	_ = json.Unmarshal(b, &m)
	return m
}

// claim writes who we are into the marker; in place, because the lock is on that very file.
func (d *Data) claim() error {
	b, err := json.Marshal(markerContent{Format: 1, Owner: proc.Self()})
	if err != nil {
		return err
	}
	if err := d.lock.Truncate(0); err != nil {
		return err
	}
	_, err = d.lock.WriteAt(append(b, '\n'), 0)
	return err
}

// drop removes everything but the marker.
func (d *Data) drop() error {
	if err := d.dropElsewhere(); err != nil {
		return err
	}
	list, err := os.ReadDir(d.Dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Name() == marker {
			continue
		}
		if err := os.RemoveAll(d.Path(e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Close lets go of the folder. Safe to call twice.
func (d *Data) Close() error {
	if err := d.lock.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Path is a path inside the folder.
func (d *Data) Path(elem ...string) string {
	return filepath.Join(append([]string{d.Dir}, elem...)...)
}

// PidFile is where a Supervisor should record its processes.
func (d *Data) PidFile() string { return d.Path("run", "pids.json") }

// Holder tells which process holds a data folder now; false when nobody does.
func Holder(dir string) (proc.Identity, bool) {
	f, err := os.Open(filepath.Join(dir, marker))
	if err != nil {
		return proc.Identity{}, false
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return proc.Identity{}, false
	}
	owner := readMarker(f).Owner
	return owner, owner.Alive()
}
