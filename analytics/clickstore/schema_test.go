package clickstore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/clickstore/internal/chdbtest"
	"github.com/stampede-shop/stampede/analytics/clickstore/internal/chtest"
	"github.com/stampede-shop/stampede/analytics/storetest"
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

// A number whose rows were deleted is not used again by itself, as rows may only be out of sight; the error says how to go on.
func TestRowsThatAreNotSeenAreNotStoredAgain(t *testing.T) {
	t.Parallel()
	server := chtest.Start(t, chtest.NewMemory())
	s, err := opened(t, server, 0)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Append(t, s, analytics.Place{Stream: "s", Sequence: 1}, storetest.BatchOf(1, storetest.Noon))
	b, at := storetest.BatchOf(3, storetest.Noon), analytics.Place{Stream: "s", Sequence: 2}
	server.Fail(func(q chtest.Query) chtest.Fault {
		if strings.HasPrefix(q.Body, "SELECT append") {
			return chtest.Before
		}
		return chtest.None
	})
	if err := s.Append(t.Context(), []*analytics.Batch{b}, at); err == nil {
		t.Fatal("nobody looked")
	}
	server.Fail(nil)
	force(t, s, "TRUNCATE TABLE event")
	for range 3 {
		err = s.Append(t.Context(), []*analytics.Batch{b}, at)
		if err == nil || !strings.Contains(err.Error(), "append 2 was acknowledged") || errors.Is(err, analytics.ErrDisplaced) {
			t.Fatal(err)
		}
	}
	_, repair, _ := strings.Cut(err.Error(), "run\n")
	repair, _, _ = strings.Cut(repair, " and restart")
	force(t, s, repair)
	if s, err = opened(t, server, 0); err != nil {
		t.Fatal(err)
	}
	if is, err := s.Place(t.Context()); err != nil || is.Sequence != 1 {
		t.Errorf("at %v: %v", is, err)
	}
	storetest.Append(t, s, at, b)
	if st, err := s.Stats(t.Context()); err != nil || st.Events != 3 {
		t.Errorf("%+v %v", st, err)
	}
}
