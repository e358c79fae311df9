package clickstore

import (
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go"

	"github.com/stampede-shop/stampede/analytics/clickstore/internal/chdbtest"
	"github.com/stampede-shop/stampede/analytics/clickstore/internal/chtest"
)

// opened is a store, in a database of its own.
func opened(t *testing.T, server *chtest.Server, keep time.Duration) (*Store, error) {
	t.Helper()
	s, err := Open(t.Context(), Options{Address: server.Addr(), Database: strings.NewReplacer("/", "_", "-", "_").Replace(t.Name()), Keep: keep})
	if s != nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

// force runs any statement.
func force(t *testing.T, s *Store, sql string) {
	t.Helper()
	if err := s.reading(t.Context(), func(client *ch.Client) error { return exec(t.Context(), client, sql) }); err != nil {
		t.Fatal(err)
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	for name, engine := range map[string]func(testing.TB) chtest.Engine{"stand-in": func(testing.TB) chtest.Engine { return chtest.NewMemory() },
		"ClickHouse": func(t testing.TB) chtest.Engine { return chdbtest.Open(t) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := chtest.Start(t, engine(t))
			asked := func(prefix string) (n int) {
				for _, q := range server.Queries() {
					if strings.HasPrefix(q.Body, prefix) {
						n++
					}
				}
				return n
			}
			for i, keep := range []struct {
				keep   time.Duration
				alters int // so far
			}{{0, 1}, {400 * day, 1}, {30 * day, 2}, {30*day - time.Hour, 2}, {-1, 3}, {-1, 3}, {0, 4}} {
				if _, err := opened(t, server, keep.keep); err != nil {
					t.Fatal(err)
				}
				if n := asked("ALTER TABLE event "); n != keep.alters {
					t.Errorf("%d: %d changes, want %d", i, n, keep.alters)
				}
			}
			if n := asked("CREATE TABLE IF NOT EXISTS event"); n != 1 {
				t.Errorf("the schema was made %d times", n)
			}
			s, err := opened(t, server, 0)
			if err != nil {
				t.Fatal(err)
			}
			force(t, s, migrations[0][0]) // a migration that was interrupted is done again
			force(t, s, migrations[0][len(migrations[0])-1])
			force(t, s, "INSERT INTO schema_version SELECT 999")
			if _, err := opened(t, server, 0); err == nil || !strings.Contains(err.Error(), "999") {
				t.Errorf("a newer schema: %v", err)
			}
		})
	}
}
