package profile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// fake makes a CPU profile of a second in which each stack, outermost first, took its share in milliseconds.
func fake(stacks map[string]int64) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		DurationNanos: int64(time.Second), PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1e7}
	funcs := map[string]*profile.Location{}
	for stack, ms := range stacks {
		s := &profile.Sample{Value: []int64{ms / 10, ms * 1e6}}
		for _, name := range strings.Split(stack, ";") {
			l := funcs[name]
			if l == nil {
				f := &profile.Function{ID: uint64(len(funcs) + 1), Name: name}
				l = &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}}
				p.Function, p.Location = append(p.Function, f), append(p.Location, l)
				funcs[name] = l
			}
			s.Location = append([]*profile.Location{l}, s.Location...)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func put(t *testing.T, dir string, kind Kind, at time.Time, deploy string, p *profile.Profile) {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, nameOf(kind, at, deploy)), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func folded(t *testing.T, p *profile.Profile) string {
	t.Helper()
	var b strings.Builder
	if err := Folded(&b, p, ""); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMergeIsPerSecond(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := Archive{dir}
	put(t, dir, CPU, noon, "v1", fake(map[string]int64{"main;serve": 300, "main;gc": 100}))
	put(t, dir, CPU, noon.Add(time.Minute), "v1", fake(map[string]int64{"main;serve": 500}))
	put(t, dir, CPU, noon.Add(time.Hour), "v2", fake(map[string]int64{"main;serve": 900}))
	p, err := a.Merge(Selection{Kind: CPU, Deploy: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := folded(t, p), "main;gc 50000000\nmain;serve 400000000\n"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	p, err = a.Merge(Selection{Kind: CPU, From: noon.Add(time.Minute), To: noon.Add(time.Hour)})
	if err != nil || folded(t, p) != "main;serve 500000000\n" {
		t.Errorf("%v %s", err, folded(t, p))
	}
	if _, err := a.Merge(Selection{Kind: Heap}); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	d, err := a.Deploys()
	if err != nil || len(d) != 2 || d[0] != (Deploy{"v1", noon, noon.Add(time.Minute)}) || d[1].Name != "v2" {
		t.Errorf("%v %v", d, err)
	}
}

func TestTwoDeploysCompared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := Archive{dir}
	put(t, dir, CPU, noon, "v1", fake(map[string]int64{"main;serve;json": 100, "main;serve;db": 400, "main;gone": 50}))
	put(t, dir, CPU, noon.Add(time.Hour), "v2", fake(map[string]int64{"main;serve;json": 700, "main;serve;db": 400}))
	now, base := Selection{Kind: CPU, Deploy: "v2"}, Selection{Kind: CPU, Deploy: "v1"}
	p, err := a.Diff(now, base)
	if err != nil || folded(t, p) != "main;gone -50000000\nmain;serve;json 600000000\n" {
		t.Fatalf("%v %s", err, folded(t, p))
	}
	one, err := a.Merge(now)
	other, err2 := a.Merge(base)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	g, err := Flame(one, other, "cpu")
	raw, _ := json.Marshal(g)
	want := `{"type":"cpu","unit":"nanoseconds","root":{"name":"all","value":1100000000,"base":550000000,"children":[{"name":"main","value":1100000000,"base":550000000,` +
		`"children":[{"name":"serve","value":1100000000,"base":500000000,"children":[{"name":"json","value":700000000,"base":100000000},` +
		`{"name":"db","value":400000000,"base":400000000}]},{"name":"gone","value":0,"base":50000000}]}]}}`
	if err != nil || string(raw) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, raw, want)
	}
	if _, err := Flame(one, nil, "nothing"); err == nil || !strings.Contains(err.Error(), "samples, cpu") {
		t.Error(err)
	}
	if _, err := a.Diff(now, Selection{Kind: CPU, Deploy: "v0"}); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "base") {
		t.Error(err)
	}
}

func TestTheFolderIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stray := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(stray, make([]byte, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{Dir: dir, Deploy: "a b/c", Keep: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		p.keep(Heap, noon.Add(time.Duration(i)*time.Minute), make([]byte, 300))
	}
	list, err := p.Archive().List()
	if err != nil || len(list) != 3 || !list[2].At.Equal(noon.Add(19*time.Minute)) || list[0].Deploy != "a_b_c" {
		t.Errorf("%v %v", list, err)
	}
	if _, err := os.Stat(stray); err != nil {
		t.Error("a file that is not ours is gone")
	}
	if _, err := New(Options{}); !errors.Is(err, ErrNoDir) {
		t.Error(err)
	}
	if list, err := (Archive{filepath.Join(dir, "none")}).List(); err != nil || list != nil {
		t.Errorf("%v %v", list, err)
	}
}

// burn uses the processor until ctx ends.
//
//go:noinline
func burn(ctx context.Context) (n int) {
	for ctx.Err() == nil {
		for i := range 10_000 {
			n += i
		}
	}
	return n
}

// A real profile is taken and tells what ran; one by hand ends the one under way, and others are refused meanwhile.
func TestProfilingForReal(t *testing.T) { //nolint:paralleltest // there is one CPU profile in a process
	p, err := New(Options{Dir: t.TempDir(), Every: 20 * time.Millisecond, CPU: 300 * time.Millisecond, Deploy: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { p.Run(ctx) })
	wg.Go(func() { burn(ctx) })
	deadline := time.Now().Add(20 * time.Second)
	for {
		if merged, err := p.Archive().Merge(Selection{Kind: CPU}); err == nil && strings.Contains(folded(t, merged), "profile.burn") {
			if heap, err := p.Archive().Merge(Selection{Kind: Heap}); err == nil && len(heap.Sample) > 0 {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("no profile has the function in it that was busy all the time, or there is none of the heap")
		}
		time.Sleep(10 * time.Millisecond)
	}
	for i := range 5 {
		var buf bytes.Buffer
		if err := p.Yield(ctx, func() {
			if err := pprof.StartCPUProfile(&buf); err != nil {
				t.Errorf("try %d: %v", i, err)
				return
			}
			if _, err := p.cpu(ctx); !errors.Is(err, errBusy) {
				t.Errorf("two profiles at a time: %v", err)
			}
			pprof.StopCPUProfile()
		}); err != nil {
			t.Error(err)
		}
	}
	gone, stop := context.WithCancel(ctx)
	stop()
	p.slot <- struct{}{}
	if err := p.Yield(gone, func() { t.Error("ran though another has the slot") }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-p.slot
}

func ExampleArchive_Diff() {
	a := Archive{Dir: "profiles/api-1"}
	diff, err := a.Diff(Selection{Kind: CPU, Deploy: "4f2c1d"}, Selection{Kind: CPU, Deploy: "9a7be0"})
	if errors.Is(err, ErrNone) {
		fmt.Println("nothing to compare")
		return
	}
	_ = diff.Write(os.Stdout) // for go tool pprof
	// Output: nothing to compare
}
