package httpcache

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// again ends the bundle's cache and makes one on the same folder.
func again(t *testing.T, b *bundle, o Options) *bundle {
	t.Helper()
	b.c.Close()
	n := setup(t, o)
	n.clock.t = b.clock.now()
	return n
}

func TestDiskOutlivesRestart(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	b := setup(t, o)
	b.answer("body", "Cache-Control", "max-age=60", "Surrogate-Key", "k", "Vary", "Foo", "X-A", "1")
	b.get("/keep", "Foo", "1")
	b.get("/keep", "Foo", "2")
	b.answer("body", "Cache-Control", "max-age=60", "Surrogate-Key", "gone")
	b.get("/gone")
	b.answer("body", "Cache-Control", "max-age=60, stale-while-revalidate=60", "Surrogate-Key", "soft")
	b.get("/soft")
	b.c.PurgeTags(false, "gone")
	b.c.PurgeTags(true, "soft")
	b = again(t, b, o)
	b.clock.add(5 * time.Second)
	for _, foo := range []string{"1", "2"} {
		if w := b.get("/keep", "Foo", foo); w.Body.String() != "body" || w.Header().Get("X-A") != "1" || w.Header().Get("Age") != "5" {
			t.Errorf("%q %v", w.Body, w.Header())
		}
	}
	b.wantAsked(0)
	b.get("/gone")
	b.wantAsked(1) // a purge outlives a restart as well
	if w := b.get("/soft"); !strings.Contains(w.Header().Get("Cache-Status"), "stale-while-revalidate") {
		t.Error(w.Header())
	}
	b.c.PurgeTags(false, "k")
	b = again(t, b, o)
	b.get("/keep", "Foo", "1")
	b.wantAsked(1)
}

func TestRecheckAfterRestart(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), Recheck: true}
	b := setup(t, o)
	b.answer("body", "Cache-Control", "max-age=60", "Etag", `"x"`)
	b.get("/")
	b = again(t, b, o)
	b.answer("changed", "Cache-Control", "max-age=60", "Etag", `"x"`)
	if w := b.get("/"); w.Body.String() != "body" || b.last.Get("If-None-Match") != `"x"` {
		t.Errorf("%q", w.Body)
	}
	b.get("/")
	b.wantAsked(1)
}

func TestDiskIsBounded(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), Disk: 50 << 10}
	b := setup(t, o)
	b.answer(strings.Repeat("x", 2000), "Cache-Control", "max-age=60")
	for i := range 100 {
		b.get(fmt.Sprint("/", i))
	}
	b.c.Close()
	s := b.c.Stats()
	if s.DiskBytes > 50<<10 || s.DiskEntries < 10 {
		t.Errorf("%+v", s)
	}
	var onDisk int64
	files := 0
	_ = filepath.Walk(o.Dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && strings.HasSuffix(path, suffix) {
			onDisk += info.Size()
			files++
		}
		return err
	})
	if onDisk != s.DiskBytes || int64(files) != s.DiskEntries {
		t.Errorf("%d bytes in %d files, counted %d in %d", onDisk, files, s.DiskBytes, s.DiskEntries)
	}
	b = again(t, b, o)
	b.get("/99")
	b.wantAsked(0)
}

// What waits to be written is bounded, and a write drops it as if it were there.
func TestDiskQueueIsBounded(t *testing.T) {
	t.Parallel()
	d, err := openDisk(Options{Dir: t.TempDir(), Disk: 1 << 30, Now: time.Now}, newPurges())
	if err != nil {
		t.Fatal(err)
	}
	put := 0
	for ; put < 100 && d.queued < writingBytes-(2<<20); put++ { // nobody writes yet
		d.put(&entry{key: fmt.Sprint("http://a/", put), status: 200, header: http.Header{}, body: make([]byte, 1<<20), until: time.Now().Add(time.Hour).UnixNano()})
	}
	d.put(&entry{key: "http://a/too-much", status: 200, header: http.Header{}, body: make([]byte, 8<<20), until: time.Now().Add(time.Hour).UnixNano()})
	if put < 50 || put == 100 || d.queued > writingBytes || !d.has("http://a/0") || d.has("http://a/too-much") {
		t.Errorf("%d answers of %d bytes wait", put, d.queued)
	}
	d.close()
	d.write()
	if n, _ := d.used(); n != int64(put) || d.queued != 0 || len(d.waiting) != 0 {
		t.Errorf("%d of %d were written; %d bytes still wait", n, put, d.queued)
	}
}

// Damage costs a fetch, never a wrong answer.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string, data []byte) error{
		"cut":   func(p string, d []byte) error { return os.WriteFile(p, d[:len(d)-1], 0o600) },
		"bit":   func(p string, d []byte) error { d[len(d)-1] ^= 1; return os.WriteFile(p, d, 0o600) },
		"empty": func(p string, _ []byte) error { return os.WriteFile(p, nil, 0o600) },
		"head":  func(p string, d []byte) error { d[5] ^= 0xff; return os.WriteFile(p, d, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{Dir: t.TempDir()}
			b := setup(t, o)
			b.get("/")
			b.c.Close()
			found, err := filepath.Glob(filepath.Join(o.Dir, "*", "*"+suffix))
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			data, err := os.ReadFile(found[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(found[0], data); err != nil {
				t.Fatal(err)
			}
			b = again(t, b, o)
			if w := b.get("/"); w.Body.String() != "body" {
				t.Errorf("%q", w.Body)
			}
			b.wantAsked(1)
		})
	}
}

// A journal that was damaged means that nothing on disk is used unasked.
func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	b := setup(t, o)
	b.get("/")
	b.c.PurgeTags(false, "x")
	b.c.Close()
	path := filepath.Join(o.Dir, journalName)
	data, _ := os.ReadFile(path)
	if err := os.WriteFile(path, append(data, `{"Count":`...), 0o600); err != nil {
		t.Fatal(err)
	}
	b = again(t, b, o)
	b.get("/")
	b.wantAsked(1)
}

func TestJournalStaysShort(t *testing.T) {
	t.Parallel()
	p := newPurges()
	d, err := openDisk(Options{Dir: t.TempDir(), Now: time.Now}, p)
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]keyHash, 1000)
	for i := range keys {
		keys[i] = keyHash(1<<63) + keyHash(i)
	}
	for range 900 {
		p.purge(keys, false, time.Now())
		d.journal(purgeRecord{Count: p.count.Load(), Keys: keys})
	}
	if d.logged > longJournal {
		t.Errorf("%d bytes", d.logged)
	}
	d.close()
	d.write()
	q := newPurges()
	d, err = openDisk(Options{Dir: d.o.Dir, Now: time.Now}, q)
	if err != nil {
		t.Fatal(err)
	}
	if dead, _ := q.judge(899, keys[:1]); !dead || q.count.Load() != 900 {
		t.Errorf("after a restart: %v at %d", dead, q.count.Load())
	}
	d.close()
	d.write()
}

func TestFolderThatCannotBe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Dir: path}); err == nil {
		t.Error("a file was taken for a folder")
	}
	if _, err := New(Options{Name: "a b"}); err == nil {
		t.Error("a name with a space was taken")
	}
}

func FuzzDecodeEntry(f *testing.F) {
	good, err := encodeEntry(&entry{key: "http://a/", status: 200, header: http.Header{"A": {"b"}}, body: []byte("x")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, in []byte) {
		if e, err := decodeEntry(in); err == nil && (e.key == "" || e.status < 200) {
			t.Errorf("%+v", e)
		}
	})
}

// Two caches in one folder would undo each other's purges.
func TestFolderIsNotShared(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	first, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if second, err := New(o); !errors.Is(err, ErrInUse) {
		second.Close()
		t.Fatalf("a second cache in the folder: %v", err)
	}
	first.Close()
	third, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	third.Close()
}
