package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

func open(t *testing.T, dir string, fresh bool) *Data {
	t.Helper()
	d, err := OpenData(t.Context(), dir, fresh)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestOnlyOneHoldsTheData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	if _, held := Holder(dir); held {
		t.Error("somebody holds a folder that is not there")
	}
	d := open(t, dir, false)
	_, err := OpenData(t.Context(), dir, true)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Fatalf("a second open: %v", err)
	}
	if id, held := Holder(dir); !held || id != proc.Self() {
		t.Errorf("holder: %+v, %v", id, held)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	// A process that another test is just starting holds a copy of the lock until it executes its program.
	for end := time.Now().Add(time.Minute); ; {
		if _, held := Holder(dir); !held {
			break
		}
		if time.Now().After(end) {
			t.Fatal("still held after Close")
		}
		runtime.Gosched()
	}
}

func TestForeignFoldersAreLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	letter := filepath.Join(dir, "letter.txt")
	if err := os.WriteFile(letter, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, fresh := range []bool{false, true} {
		if _, err := OpenData(t.Context(), dir, fresh); !errors.Is(err, ErrNotOurs) {
			t.Errorf("fresh %v: %v", fresh, err)
		}
	}
	if _, err := os.Stat(letter); err != nil {
		t.Error("the letter is gone")
	}
}

func TestFreshDropsOnlyOurs(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	d := open(t, dir, false)
	if err := os.MkdirAll(d.Path("pg", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	// a pointer that was tampered with must not lead to somebody else's folder
	victim := t.TempDir()
	if err := os.WriteFile(d.Path(pgPointer), []byte(victim), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	d = open(t, dir, true)
	gone(t, d.Path("pg"))
	if _, err := os.Stat(victim); err != nil {
		t.Error("a folder that is not ours was dropped")
	}
	if _, err := os.Stat(d.Path(marker)); err != nil {
		t.Error("the marker is gone")
	}
}

func TestPortsAndSecretsStay(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "data"), false)
	one, err1 := d.Port("one")
	two, err2 := d.Port("two")
	again, err3 := d.Port("one")
	if err := errors.Join(err1, err2, err3); err != nil || one == two || one != again {
		t.Errorf("ports %d, %d, %d: %v", one, two, again, err)
	}
	a, err1 := d.Secret("token")
	b, err2 := d.Secret("token")
	info, err3 := os.Stat(d.Path("token"))
	if err := errors.Join(err1, err2, err3); err != nil || a != b || len(a) < 20 || info.Mode().Perm() != 0o600 {
		t.Errorf("secrets %q, %q: %v", a, b, err)
	}
}

func TestGrow(t *testing.T) {
	t.Parallel()
	four, err := topology{}.grow(4, 1)
	if err != nil || len(four.on(1)) != 5 {
		t.Fatalf("four: %+v, %v", four, err)
	}
	more, err := four.grow(6, 3)
	if err != nil {
		t.Fatal(err)
	}
	for id, on := range four.Shards {
		if more.Shards[id] != on {
			t.Errorf("%s moved to %d", id, more.Shards[id])
		}
	}
	if more.Shards["shard5"] != 2 || more.Shards["shard6"] != 3 {
		t.Errorf("new shards: %+v", more.Shards)
	}
	spread, _ := topology{}.grow(4, 2)
	if a, b := len(spread.on(1)), len(spread.on(2)); a != 3 || b != 2 {
		t.Errorf("spread over two: %d and %d", a, b)
	}
}
