package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/app/running"
)

// safe waits until commits of a cluster, from 1, go to so many standbys, and returns its state.
func (p *platform) safe(t *testing.T, cluster, standbys int) (c clusterStatus) {
	t.Helper()
	eventually(t, 3*time.Minute, fmt.Sprintf("cluster %d with %d standbys", cluster, standbys), func() error {
		st, err := p.status()
		if err != nil {
			return err
		}
		if c = st.Clusters[cluster-1]; !c.Sync || len(c.Standbys) != standbys {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	return c
}

// failover kills the primary of a cluster and waits until another has taken its place, orders are taken again, and the old one is
// back as a standby.
func (p *platform) failover(t *testing.T, b *buyers, cluster, standbys int) {
	t.Helper()
	was := p.safe(t, cluster, standbys)
	victim := p.pid(t, was.Primary)
	killed := time.Now()
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, "another primary", func() error {
		st, err := p.status()
		if err == nil && (st.Clusters[cluster-1].Primary == was.Primary || st.Clusters[cluster-1].Failovers != was.Failovers+1) {
			err = fmt.Errorf("%+v", st.Clusters)
		}
		return err
	})
	replaced := time.Since(killed)
	took := b.resumed(t, time.Now(), time.Minute)
	t.Logf("%s killed; another known to be the primary after %v, and an order taken %v later", was.Primary,
		replaced.Round(time.Millisecond), took.Round(time.Millisecond))
	if replaced > 5*time.Second && os.Getenv("STAMPEDE_SOAK") != "" {
		t.Errorf("the failover took %v", replaced)
	}
	if replaced+took > busyFailover { // no time is a promise on a machine that is busy with other tests; reads wait for 2 s, writes for 5
		b.excuse(http.StatusServiceUnavailable)
	}
	p.safe(t, cluster, standbys)
}

// busyFailover is what a failover takes at most where half a core is free, several times what it takes on an idle machine.
const busyFailover = 1500 * time.Millisecond

// The primary is killed under load, and the next one too: nobody gets a wrong answer, nothing acknowledged is lost.
func TestFailover(t *testing.T) {
	p := own(t, "failover", "--products", "300", "--replicas", "2")
	b := startBuyers(t, p, 6)
	for range 2 {
		p.failover(t, b, 1, 2)
	}
	b.finish(t)
	t.Run("ReadYourWrites", func(t *testing.T) { readYourWrites(t, p) })
	t.Run("Alone", func(t *testing.T) { alone(t, p) })
}

// One of two primaries is killed.
func TestFailoverOfOneCluster(t *testing.T) {
	p := own(t, "failover2", "--products", "100", "--replicas", "1", "--clusters", "2")
	p.safe(t, 1, 1)
	b := startBuyers(t, p, 4)
	p.failover(t, b, 2, 1)
	b.finish(t)
	if st, err := p.status(); err != nil || st.Clusters[0].Failovers != 0 {
		t.Errorf("the other cluster: %v %+v", err, st.Clusters)
	}
}

// standbys runs fn as the superuser on each standby of the first cluster.
func (p *platform) standbys(t *testing.T, sql string) {
	t.Helper()
	cfg, err := running.FindConfig(p.data, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range cfg.Catalog.Replicas {
		conn, err := pgx.Connect(t.Context(), strings.Replace(r.DSN, "user=stampede", "user=postgres", 1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "SELECT CASE WHEN pg_is_in_recovery() THEN (SELECT 1 FROM "+sql+") END"); err != nil {
			t.Error(err)
		}
		_ = conn.Close(context.WithoutCancel(t.Context()))
	}
}

// While no standby replays anything, whoever wrote sees what they wrote. Only answers to writes of the catalogue set a cookie.
func readYourWrites(t *testing.T, p *platform) {
	made := p.newProduct(t, "E2E-SEEN", 100, 5)
	p.standbys(t, "pg_wal_replay_pause()")
	defer p.standbys(t, "pg_wal_replay_resume()")
	admin := newShopper(p.URL)
	path := fmt.Sprintf("/products/%d", made.ID)
	for i := range 20 {
		name := fmt.Sprintf("Name number %d of it", i)
		a := admin.must(t, http.StatusOK, "PATCH", path, map[string]any{"name": name}, "Authorization", "Bearer "+p.token)
		if set := a.Header.Get("Set-Cookie"); !strings.Contains(set, "seen=") || !strings.Contains(set, "HttpOnly") {
			t.Errorf("the answer to a write sets %q", set)
		}
		for _, what := range []string{path, fmt.Sprintf("/products?ids=%d", made.ID), "/products?limit=5&sort=newest"} {
			a := admin.must(t, http.StatusOK, "GET", what, nil)
			if !strings.Contains(string(a.Body), name) {
				t.Errorf("%s after the write of %q: %s", what, name, a.Body)
			}
			if set := a.Header.Values("Set-Cookie"); len(set) != 0 {
				t.Errorf("%s sets %q", what, set)
			}
		}
	}
}

// family is a process and its children, as far as they can be seen.
func family(pid int) []int {
	list := []int{pid}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		raw, err := os.ReadFile(file)
		_, rest, ok := strings.Cut(string(raw), ") ")
		if f := strings.Fields(rest); err == nil && ok && len(f) > 1 && f[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			list = append(list, child)
		}
	}
	return list
}

// When no standby answers any more, orders stand still for a moment; then the primary goes on alone, with an alert, until they are back.
func alone(t *testing.T, p *platform) {
	if runtime.GOOS != "linux" {
		t.Skip("children are found through /proc")
	}
	c := p.safe(t, 1, 2)
	item := p.newProduct(t, "E2E-ALONE", 100, 1000)
	var frozen []int
	for _, name := range c.Standbys {
		frozen = append(frozen, family(p.pid(t, name))...)
	}
	thaw := func() {
		for _, pid := range frozen {
			_ = syscall.Kill(pid, syscall.SIGCONT) // it may have ended meanwhile
		}
	}
	t.Cleanup(thaw)
	for _, pid := range frozen {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	start := time.Now()
	buyOne(t, p, item)
	t.Logf("bought %v after the standbys stood still", time.Since(start).Round(time.Millisecond))
	eventually(t, time.Minute, "an alert", func() error {
		if st, err := p.status(); err != nil || st.Clusters[0].Sync || st.Clusters[0].Alone.IsZero() {
			return fmt.Errorf("%w %+v", err, st.Clusters)
		}
		if a, err := newShopper(p.Ops).do("GET", "/metrics", nil); err != nil || !strings.Contains(string(a.Body), `stampede_failover_alone{cluster="1",process="up"} 1`) {
			return fmt.Errorf("none in the metrics: %w", err)
		}
		return nil
	})
	thaw()
	eventually(t, time.Minute, "no longer alone", func() error {
		if c := p.safe(t, 1, 2); !c.Alone.IsZero() {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	buyOne(t, p, item)
	p.audit(t)
}

// The long form: for minutes, one process after the other is killed, whichever chance says.
func TestFailoverSoak(t *testing.T) {
	if os.Getenv("STAMPEDE_SOAK") == "" {
		t.Skip("long; STAMPEDE_SOAK=1 runs it, for STAMPEDE_SOAK_FOR (5m)")
	}
	length, err := time.ParseDuration(os.Getenv("STAMPEDE_SOAK_FOR"))
	if err != nil {
		length = 5 * time.Minute
	}
	p := own(t, "soak", "--products", "1000", "--replicas", "2", "--clusters", "2")
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); {
		b := startBuyers(t, p, 6)
		switch victim := rand.IntN(8); {
		case victim < 4:
			p.failover(t, b, 1+victim%2, 2)
		default:
			st, err := p.status()
			if err != nil {
				t.Fatal(err)
			}
			name := []string{"api-1", "worker", st.Clusters[0].Standbys[0], "redis"}[victim-4]
			t.Log("kill", name)
			if err := syscall.Kill(p.pid(t, name), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			b.resumed(t, time.Now(), time.Minute)
			p.safe(t, 1, 2)
			p.safe(t, 2, 2)
		}
		b.finish(t)
	}
}
