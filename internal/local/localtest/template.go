package localtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stampede-shop/stampede/internal/local/pg"
)

// template makes data directories: the first ever by initdb, which is then kept in the user's cache
// folder; all others are copies of it. Without a usable cache folder every test binary runs initdb
// once.
type template struct {
	once sync.Once
	dir  string
	bin  pg.Binaries
	err  error
}

// layout is to be raised when what Init makes changes, so that old cache entries are not used.
const layout = "1"

// get returns a data directory to copy from.
func (t *template) get(tb testing.TB, b *bench) (string, pg.Binaries) {
	tb.Helper()
	t.once.Do(func() {
		if t.bin, t.err = pg.Find(0); t.err == nil {
			t.dir, t.err = b.template(t.bin)
		}
	})
	if t.err != nil {
		tb.Fatalf("localtest: %v", t.err)
	}
	return t.dir, t.bin
}

func (b *bench) template(bin pg.Binaries) (string, error) {
	kept := cachePath(bin)
	if _, ok := pg.Exists(kept); ok {
		return kept, nil
	}
	parent, err := b.folder("template")
	if err != nil {
		return "", err
	}
	s := &pg.Server{Bin: bin, User: b.user, DataDir: filepath.Join(parent, "d"), SocketDir: parent, Port: 5432}
	ctx, cancel := background()
	defer cancel()
	if err := b.prepare(ctx, s); err != nil {
		return "", err
	}
	if kept != "" && keep(kept, s.DataDir) == nil {
		return kept, nil
	}
	return s.DataDir, nil
}

// prepare makes the data directory and lets the server run once, so that every copy has the roles.
func (b *bench) prepare(ctx context.Context, s *pg.Server) error {
	if err := s.Init(ctx, pg.InitOptions{NoSync: true}); err != nil {
		return err
	}
	if err := s.Configure(pg.Throwaway()); err != nil {
		return err
	}
	child, err := b.start(filepath.Dir(s.DataDir), s.Command(), pg.DeathSignal)
	if err != nil {
		return err
	}
	defer child.Stop(ctx, pg.StopSignal, stopTimeout)
	if err := s.WaitReady(ctx, child.Done()); err != nil {
		return describe(err, filepath.Dir(s.DataDir))
	}
	return s.EnsureRoles(ctx)
}

// cachePath names the cache entry of a PostgreSQL version; "" when there is no place for it.
func cachePath(bin pg.Binaries) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(layout + "\n" + bin.Dir + "\n" + bin.Version))
	return filepath.Join(dir, "stampede", "pg-template", hex.EncodeToString(sum[:8]))
}

// keep puts a copy of a data directory into the cache. Of several test binaries that do so at once the
// first wins; the others find it there.
func keep(path, from string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), "new")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := pg.CopyTree(filepath.Join(tmp, "d"), from); err != nil {
		return err
	}
	err = os.Rename(filepath.Join(tmp, "d"), path)
	if _, ok := pg.Exists(path); ok {
		return nil
	}
	return err
}
