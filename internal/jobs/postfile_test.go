package jobs

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestHalfWrittenMailOfTheDeadIsDropped(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	for name, age := range map[string]time.Duration{".mail-1": time.Hour, ".mail-2": time.Second, "a.eml": time.Hour} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := newFilePost(dir, nil, func() time.Time { return now }); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != ".mail-2" || left[1].Name() != "a.eml" {
		t.Fatalf("%v, %v", left, err)
	}
}
