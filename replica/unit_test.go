package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"
)

func TestLSNRoundTrip(t *testing.T) {
	t.Parallel()
	if l, err := ParseLSN("0/16B3748"); err != nil || l != 0x16B3748 {
		t.Errorf("got %d, %v", l, err)
	}
	if l, _ := ParseLSN("1A/FFFFFFFF"); l.String() != "1A/FFFFFFFF" || l+1 != 0x1B<<32 {
		t.Errorf("got %s", l)
	}
	for _, bad := range []string{"", "/", "0", "0/", "/0", "G/0", "0/123456789", "-1/0", "0/0/0", " 0/0"} {
		if l, err := ParseLSN(bad); !errors.Is(err, ErrBadLSN) {
			t.Errorf("%q gave %v, %v", bad, l, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		l := LSN(rapid.Uint64().Draw(t, "lsn"))
		if back, err := ParseLSN(l.String()); err != nil || back != l {
			t.Fatalf("%d became %s became %d, %v", l, l, back, err)
		}
	})
}

func TestConnectionFailures(t *testing.T) {
	t.Parallel()
	pg := func(code string) error { return fmt.Errorf("query: %w", &pgconn.PgError{Code: code}) }
	for _, err := range []error{pg("57P01"), pg("57P03"), pg("08006"), pg("53300"), io.ErrUnexpectedEOF,
		&net.OpError{Op: "read", Err: errors.New("reset")}, &pgconn.ConnectError{Config: &pgconn.Config{}}, net.ErrClosed} {
		if !connectionFailed(err) {
			t.Errorf("%v does not count as a failed connection", err)
		}
	}
	for _, err := range []error{pg("42601"), pg("23505"), pg("57014"), pg("40001"), context.Canceled, context.DeadlineExceeded, errors.New("other")} {
		if connectionFailed(err) {
			t.Errorf("%v counts as a failed connection", err)
		}
	}
}

func TestLagIsMeasuredFromWhenThePrimaryMovedOn(t *testing.T) {
	t.Parallel()
	t0 := time.Unix(1000, 0)
	var h history
	if b, d := h.behind(5, t0); b != 0 || d != 0 {
		t.Errorf("nothing is known, but a replica is %d bytes, %v behind", b, d)
	}
	h.add(sample{100, t0})
	h.add(sample{200, t0.Add(time.Second)})
	h.add(sample{200, t0.Add(50 * time.Second)}) // idle
	h.add(sample{300, t0.Add(60 * time.Second)})
	now := t0.Add(61 * time.Second)
	for _, c := range []struct {
		at    LSN
		bytes int64
		lag   time.Duration
	}{{300, 0, 0}, {310, 0, 0}, {250, 50, time.Second}, {200, 100, time.Second}, {199, 101, 60 * time.Second}, {50, 250, 61 * time.Second}} {
		if b, d := h.behind(c.at, now); b != c.bytes || d != c.lag {
			t.Errorf("at %d: %d bytes, %v behind; want %d, %v", c.at, b, d, c.bytes, c.lag)
		}
	}
	for i := range 10 * maxSamples {
		h.add(sample{LSN(1000 + i), now})
	}
	if len(h.samples) > maxSamples {
		t.Errorf("%d samples are kept", len(h.samples))
	}
	h.add(sample{7, now}) // the log was replaced
	if b, _ := h.behind(7, now); b != 0 {
		t.Errorf("%d bytes behind a log that begins anew", b)
	}
}

// offline makes a Set without servers.
func offline(replicas int) *Set {
	g := newGroup(Options{})
	g.writer = newServer(PrimaryName, nil)
	g.writer.writer = true
	g.writer.close()
	s := &Set{g: g, name: "db", primary: member{g.writer, nil, nil}}
	for i := range replicas {
		n := newServer(fmt.Sprint("r", i), nil)
		n.close()
		n.replayed.Store(100)
		g.replicas = append(g.replicas, n)
		s.replicas = append(s.replicas, member{n, nil, nil})
	}
	g.limitPrimary()
	g.sets = []*Set{s}
	return s
}

func TestLessLoadedReplicaIsPreferred(t *testing.T) {
	t.Parallel()
	s := offline(3)
	for _, r := range s.replicas {
		r.observe(time.Millisecond)
	}
	s.replicas[1].begun.Store(100)
	counts := map[*server]int{}
	pick := func(tried ...*server) *server {
		m, _ := s.pick(s.need(t.Context()), tried)
		return m.server
	}
	for range 3000 {
		counts[pick()]++
	}
	one, two, three := s.replicas[0].server, s.replicas[1].server, s.replicas[2].server
	// The busy one loses against each of the two it can be compared with.
	if counts[two] != 0 || counts[one] < 1000 || counts[three] < 500 {
		t.Errorf("picked %d, %d, %d times", counts[one], counts[two], counts[three])
	}
	one.open(0)
	three.replayed.Store(99)
	s.Require(100)
	if got := pick(); got != two {
		t.Errorf("picked %v, want the only one that is healthy and has replayed enough", got)
	}
	if got := pick(two); got != nil {
		t.Errorf("picked %v again", got.name)
	}
}

// Reads of which there are few are all timed, of many some.
func TestLatencyIsSampled(t *testing.T) {
	t.Parallel()
	m := offline(1).replicas[0]
	few := m.depart(t.Context())
	m.arrive(few, true)
	if !few.timed || m.latency.Load() == 0 {
		t.Errorf("a single read: %+v, latency %v", few, m.smoothed())
	}
	timed := 0
	for range 800 {
		if m.depart(t.Context()).timed {
			timed++
		}
	}
	if timed < 100 || timed > 102 {
		t.Errorf("%d of 800 at once were timed", timed)
	}
	if m.inFlight() != 800 {
		t.Errorf("%d in flight", m.inFlight())
	}
}

func TestRequirementOnlyGrows(t *testing.T) {
	t.Parallel()
	s := offline(1)
	s.Require(50)
	s.Require(20)
	if s.Required() != 50 {
		t.Errorf("required %v", s.Required())
	}
}

func TestWhatIsRetriedAndWhatIsNot(t *testing.T) {
	t.Parallel()
	dead := &net.OpError{Op: "read", Err: errors.New("reset")}
	var nodes []string
	run := func(s *Set, ctx context.Context, answer func(node string) error) error {
		nodes = nil
		return s.Read(ctx, func(_ context.Context, _ *pgxpool.Pool, node string) error {
			nodes = append(nodes, node)
			return answer(node)
		})
	}
	s := offline(2)
	if err := run(s, t.Context(), func(n string) error {
		if n == PrimaryName {
			return nil
		}
		return dead
	}); err != nil || len(nodes) != 3 || nodes[2] != PrimaryName || nodes[0] == nodes[1] {
		t.Errorf("dead replicas: %v after %v", err, nodes)
	}
	if s.replicas[0].healthy.Load() || s.replicas[1].healthy.Load() {
		t.Error("dead replicas are still in use")
	}
	s = offline(2)
	syntax := &pgconn.PgError{Code: "42601"}
	if err := run(s, t.Context(), func(string) error { return syntax }); err != syntax || len(nodes) != 1 {
		t.Errorf("a bad query: %v after %v", err, nodes)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := run(s, ctx, func(string) error { cancel(); return dead }); err != dead || len(nodes) != 1 || !s.replicas[0].healthy.Load() {
		t.Errorf("a caller who left: %v after %v", err, nodes)
	}
	conflict := &pgconn.PgError{Code: "40001", Message: "canceling statement due to conflict with recovery"}
	if err := run(s, t.Context(), func(n string) error {
		if n == PrimaryName {
			return nil
		}
		return conflict
	}); err != nil || len(nodes) != 3 || !s.replicas[0].healthy.Load() {
		t.Errorf("a recovery conflict: %v after %v", err, nodes)
	}
}
