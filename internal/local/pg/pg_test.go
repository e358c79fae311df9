package pg

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestDSN(t *testing.T) {
	t.Parallel()
	s := &Server{SocketDir: "/tmp/a b&c", Port: 5440}
	c, err := pgx.ParseConfig(s.DSN("shard1") + "&application_name=x")
	if err != nil {
		t.Fatal(err)
	}
	if c.Host != "/tmp/a b&c" || c.Port != 5440 || c.User != AppRole || c.Database != "shard1" || c.RuntimeParams["application_name"] != "x" {
		t.Errorf("parsed: %+v", c)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		z      Size
		shared string
	}{
		{Size{Memory: 24 << 30, Instances: 3}, "1024MB"},
		{Size{Memory: 4 << 30, Instances: 3}, "170MB"},
		{Size{Memory: 1 << 30, Instances: 9}, "64MB"},
		{Size{}, "64MB"},
	} {
		set := Durable(c.z)
		if set["shared_buffers"] != c.shared || set["fsync"] != "on" || set["synchronous_commit"] != "on" {
			t.Errorf("%+v: %v", c.z, set)
		}
	}
}

func TestConfigureQuotes(t *testing.T) {
	t.Parallel()
	s := &Server{DataDir: t.TempDir()}
	if err := s.Configure(Settings{"b": "it's", "a": "1", "c": `'it\'s'`}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(s.DataDir, "postgresql.conf"))
	if err != nil || !strings.HasSuffix(string(b), "a = '1'\nb = 'it''s'\nc = '''it\\\\''s'''\n") {
		t.Errorf("%s, %v", b, err)
	}
}

func TestFindSaysWhatToInstall(t *testing.T) {
	t.Parallel()
	if _, err := Find(9999); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "postgresql-9999") {
		t.Errorf("version 9999: %v", err)
	}
	b, err := Find(0)
	if err != nil || b.Major < MinMajor {
		t.Errorf("%+v, %v", b, err)
	}
}
