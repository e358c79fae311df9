package governor

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever is measured, a knob stays within its bounds; it is turned down under pressure and back when that is over, and every
// turn is told with its reason.
func TestGovernor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var set []float64
		var p Strain
		var log bytes.Buffer
		k := &Knob{Name: "k", Now: 100, Low: 10, High: 100, Step: 0.7, Press: Strain.Short, Set: func(v float64) { set = append(set, v) }}
		g := New(slog.New(slog.NewTextHandler(&log, nil)), func() Strain { return p }, k)
		for range rapid.IntRange(1, 60).Draw(t, "samples") {
			before := k.Now
			p.Free = rapid.Float64Range(0, 1).Draw(t, "free")
			g.step(time.Now())
			if k.Now < k.Low || k.Now > k.High || k.Now < before && p.Free >= freeShort || k.Now > before && p.Free <= freePlenty {
				t.Fatalf("from %v to %v at %v", before, k.Now, p.Free)
			}
		}
		if n := strings.Count(log.String(), "reason="); n != len(set) {
			t.Fatalf("%d turns, %d told", len(set), n)
		}
		for range 100 {
			p.Free = 0
			g.step(time.Now())
		}
		if k.Now != k.Low {
			t.Fatalf("under lasting pressure: %v", k.Now)
		}
		for i := range 100 {
			p.Free = 1
			g.step(time.Now())
			if i < calmBefore-1 && k.Now != k.Low {
				t.Fatal("turned back too early")
			}
		}
		if s := g.Stats(); k.Now != k.High || len(s.Decisions) > keptDecisions || s.Knobs["k"].Now != k.High || s.Decisions[0].Reason == "" {
			t.Fatalf("calm again: %v, %+v", k.Now, s)
		}
	})
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ask  func(Strain) (int, string)
		p    Strain
		want int
	}{
		{Strain.Short, Strain{Free: 0.05}, 1}, {Strain.Short, Strain{Free: 0.15}, 0}, {Strain.Short, Strain{Free: 0.5}, -1},
		{Strain.starved, Strain{Sched: time.Second}, 1}, {Strain.starved, Strain{Sched: 20 * time.Millisecond}, 0}, {Strain.starved, Strain{}, -1},
		{Strain.Queued, Strain{PoolWait: time.Second}, 1}, {Strain.Queued, Strain{Sched: time.Second}, 1}, {Strain.Queued, Strain{}, -1},
	} {
		if got, why := c.ask(c.p); got != c.want || why == "" {
			t.Errorf("%+v: %d %q, want %d", c.p, got, why, c.want)
		}
	}
}

// Memory is read where there is a control group of either version, and where there is none.
func TestFreeMemory(t *testing.T) {
	t.Parallel()
	meminfo := "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 600 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  float64
	}{
		"nothing": {nil, 1},
		"machine": {map[string]string{"proc/meminfo": meminfo}, 0.6},
		"v2": {map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "1000\n", "sys/fs/cgroup/memory.current": "900\n",
			"sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 100\n"}, 0.2},
		"v2 without a limit": {map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "900\n"}, 0.6},
		"v1": {map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "700\n",
			"sys/fs/cgroup/memory/memory.stat": "total_inactive_file 200\n"}, 0.5},
		"v1 without a limit": {map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "700\n"}, 1},
	} {
		root := t.TempDir()
		for path, text := range c.files {
			if err := os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := (&Gauges{root: root}).free(); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestSchedWait(t *testing.T) {
	t.Parallel()
	g := &Gauges{}
	if first := g.schedWait(); first != 0 {
		t.Errorf("the first time: %v", first)
	}
	if again := g.schedWait(); again < 0 || again > time.Hour {
		t.Errorf("%v", again)
	}
}
