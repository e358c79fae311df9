package replica

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"
)

// Not parallel: it counts goroutines.
func TestCloseLeavesNothingBehind(t *testing.T) {
	p, err := pgxpool.New(t.Context(), "host=127.0.0.1 port=1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	before := goleak.IgnoreCurrent()
	s := New(p, []Replica{{Pool: p}, {Name: "primary", Pool: p}}, Options{})
	if st := s.Status(); st[1].Name != "replica-1" || st[2].Name == PrimaryName {
		t.Errorf("names: %q, %q", st[1].Name, st[2].Name)
	}
	s.Close()
	s.Close()
	goleak.VerifyNone(t, before)
}
