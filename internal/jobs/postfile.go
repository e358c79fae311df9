package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/queue"
)

// filePost leaves letters as .eml files in a folder: <order id>.eml, <order id>-cancelled.eml, reminder-….eml. A letter
// without an address is written too.
type filePost struct {
	dir  string
	from *mail.Address
	now  func() time.Time
}

func newFilePost(dir string, from *mail.Address, now func() time.Time) (*filePost, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("jobs: folder for mail: %w", err)
	}
	dropHalfWritten(dir, now().Add(-abandonedAfter))
	return &filePost{dir: dir, from: from, now: now}, nil
}

func fileName(l letter) string {
	switch l.Kind {
	case kindConfirmed:
		return l.ID + ".eml"
	case kindCancelled:
		return l.ID + "-cancelled.eml"
	default:
		return strings.ReplaceAll(l.Key, ".", "-") + ".eml"
	}
}

// deliver writes the file whole or not at all; one that is there already stays as it is.
func (p *filePost) deliver(_ context.Context, l letter) error {
	name := fileName(l)
	if !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) {
		return queue.Permanent(fmt.Errorf("jobs: %q cannot be the name of a mail's file", name))
	}
	path := filepath.Join(p.dir, name)
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := l.bytes(p.from, p.now())
	if err != nil {
		return queue.Permanent(err)
	}
	return writeWhole(path, data)
}

const (
	halfWritten    = ".mail-" // how the names of files begin that are being written
	abandonedAfter = 10 * time.Minute
)

// dropHalfWritten removes what processes that were killed while they wrote left behind. Others may be writing now.
func dropHalfWritten(dir string, before time.Time) {
	list, _ := os.ReadDir(dir) // what cannot be read now is tried at the next start
	for _, e := range list {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), halfWritten) && info.ModTime().Before(before) {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

func writeWhole(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), halfWritten+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
