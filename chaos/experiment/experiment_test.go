package experiment_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/chaos/experiment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const text = `
name: a-fault
about: A fault breaks a tenth of the answers.
needs: {chaos: "true"}
load: {length: 20s}
steady: [success_rate >= 99.9%]
faults:
  - {fault: breakage, with: {share: "0.1"}, at: 5s, for: 5s}
expect:
  whole: [success_rate >= 90%]
  during: [success_rate < 95%, success_rate > 85%]
  after: [success_rate >= 100%]
  change: [success_rate > -5%]
abort: {when: [success_rate < 50%], for: 3s}
`

// fakeLab is a system in which faults break a share of the answers while they last, by a clock that tests drive.
type fakeLab struct {
	mu      sync.Mutex
	share   float64
	history []change
	wrong   []string
	sick    bool // never whole again after a fault
	clumsy  bool // cannot undo
	touched bool
}

type change struct {
	at    time.Time
	share float64
}

func (l *fakeLab) Ready(_ context.Context, e *experiment.Experiment) error {
	if e.Needs["chaos"] != "true" {
		return errors.New("start it with --chaos")
	}
	return nil
}

func (l *fakeLab) Settle(ctx context.Context) error {
	if l.sick && l.touched {
		<-ctx.Done()
		return errors.New("one of two is down")
	}
	return nil
}

func (l *fakeLab) Prepare(_ context.Context, load *yaml.Node) (experiment.Player, error) {
	var spec struct{ Length time.Duration }
	return &fakeLoad{lab: l, length: spec.Length}, errors.Join(load.Decode(&spec), func() error { l.set(0); return nil }())
}

func (l *fakeLab) set(share float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.share = share
	l.history = append(l.history, change{time.Now(), share})
}

func (l *fakeLab) Inject(_ context.Context, s experiment.Step) (func(context.Context) error, error) {
	if s.Fault != "breakage" {
		return nil, errors.New("no such fault")
	}
	var share float64
	if _, err := fmt.Sscan(s.With["share"], &share); err != nil {
		return nil, err
	}
	l.touched = true
	l.set(share)
	return func(context.Context) error {
		l.set(0)
		if l.clumsy {
			return errors.New("it slipped")
		}
		return nil
	}, nil
}

func (l *fakeLab) Audit(context.Context) ([]string, error) { return l.wrong, nil }

func (l *fakeLab) Compare(a, b experiment.Load) ([]experiment.Change, error) {
	x, y := a.Metrics(0, 0)["success_rate"], b.Metrics(0, 0)["success_rate"]
	return []experiment.Change{{Metric: "success_rate", Without: x, With: y, Change: y - x, Proven: x != y, Share: true}}, nil
}

type fakeLoad struct {
	lab          *fakeLab
	length       time.Duration
	start, ended time.Time
	history      []change
}

func (l *fakeLoad) Play(ctx context.Context, watch func(experiment.Metrics)) (experiment.Load, error) {
	l.start = time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	end := time.After(l.lengthOr())
	for {
		select {
		case <-tick.C:
			l.lab.mu.Lock()
			m := experiment.Metrics{"success_rate": 1 - l.lab.share}
			l.lab.mu.Unlock()
			watch(m)
			continue
		case <-end:
		case <-ctx.Done():
		}
		l.ended = time.Now()
		l.lab.mu.Lock()
		l.history, l.lab.history = l.lab.history, nil
		l.lab.mu.Unlock()
		return l, ctx.Err()
	}
}

func (l *fakeLoad) lengthOr() time.Duration {
	if l.length == 0 {
		return 20 * time.Second
	}
	return l.length
}

func (l *fakeLoad) Started() time.Time { return l.start }
func (l *fakeLoad) Doubts() []string   { return []string{"only a fake"} }
func (l *fakeLoad) Failures() []string { return []string{"7 × http_503"} }
func (l *fakeLoad) Series() []experiment.Point {
	return []experiment.Point{{At: 0, Rate: 10}, {At: 10, Rate: 10, Errors: 0.1, P99: 0.2}}
}

// Metrics samples what was in force.
func (l *fakeLoad) Metrics(from, to time.Duration) experiment.Metrics {
	if to == 0 {
		to = l.ended.Sub(l.start)
	}
	sum, n := 0.0, 0.0
	for at := from; at < to; at += 10 * time.Millisecond {
		share := 0.0
		for _, c := range l.history {
			if !c.at.After(l.start.Add(at)) {
				share = c.share
			}
		}
		sum, n = sum+1-share, n+1
	}
	if n == 0 {
		return experiment.Metrics{}
	}
	return experiment.Metrics{"success_rate": sum / n}
}

func parse(t *testing.T, edits ...string) *experiment.Experiment {
	t.Helper()
	e, err := experiment.Parse([]byte(strings.NewReplacer(edits...).Replace(text)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// run runs an experiment by a clock of its own.
func run(t *testing.T, lab *fakeLab, e *experiment.Experiment) (r *experiment.Report) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if r, err = experiment.Run(t.Context(), lab, e, experiment.Options{Progress: t.Logf}); err != nil {
			t.Fatal(err)
		}
	})
	return r
}

func TestPasses(t *testing.T) {
	t.Parallel()
	r := run(t, &fakeLab{}, parse(t))
	if r.Verdict != experiment.Passed || len(r.Checks) != 9 {
		t.Errorf("%s: %s\n%+v", r.Verdict, r.Reason, r.Checks)
	}
	if w := r.Windows; len(w) != 1 || w[0].From != 5 || w[0].To != 10 {
		t.Errorf("the fault was in force %+v", w)
	}
}

// Each property is broken on purpose, and the verdict says which.
func TestFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		lab   *fakeLab
		edits []string
		want  string // in the reason
	}{
		{"whole", &fakeLab{}, []string{"whole: [success_rate >= 90%]", "whole: [success_rate >= 99%]"}, "whole: success_rate >= 99%"},
		{"during", &fakeLab{}, []string{`"0.1"`, `"0.2"`}, "during: success_rate > 85%"},
		{"after", &fakeLab{}, []string{"for: 5s}", "for: 14s}", "after: [success_rate >= 100%]", "after: [p99 < 1s]"}, "after: p99 < 1s: not measured"},
		{"change", &fakeLab{}, []string{"change: [success_rate > -5%]", "change: [success_rate > -1%]"}, "change: success_rate > -1%: -2.5"},
		{"steady", &fakeLab{}, []string{"steady: [success_rate >= 99.9%]", "steady: [success_rate > 100%]"}, "steady"},
		{"audit", &fakeLab{wrong: []string{"order 7 is lost", "and another"}}, nil, "order 7 is lost (and 1 more)"},
		{"recovery", &fakeLab{sick: true}, nil, "one of two is down"},
		{"undo", &fakeLab{clumsy: true}, nil, "not undone: it slipped"},
		{"no fault", &fakeLab{}, []string{"fault: breakage", "fault: nonsense"}, "no such fault"},
		{"too late", &fakeLab{}, []string{"at: 5s", "at: 50s"}, "the load ended before its time"},
		{"abort", &fakeLab{}, []string{`"0.1"`, `"0.9"`}, "abort: not aborted: success_rate < 50% for 3s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := run(t, c.lab, parse(t, c.edits...))
			if r.Verdict != experiment.Failed || !strings.Contains(r.Reason, c.want) {
				t.Errorf("%s: %s\n%+v", r.Verdict, r.Reason, r.Checks)
			}
			if c.lab.share != 0 {
				t.Error("the fault is still in force")
			}
		})
	}
}

// An optional fault that turns out to be impossible spoils nothing; one that cannot be undone does.
func TestOptional(t *testing.T) {
	t.Parallel()
	e := parse(t)
	e.Faults = append(e.Faults, experiment.Step{Fault: "nonsense", At: time.Second, For: time.Second, Optional: true})
	if r := run(t, &fakeLab{}, e); r.Verdict != experiment.Passed {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
	e.Faults[0].Optional = true
	if r := run(t, &fakeLab{clumsy: true}, e); r.Verdict != experiment.Failed {
		t.Errorf("%s: %s", r.Verdict, r.Reason)
	}
}

// Whoever breaks an experiment off leaves no fault in force.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lab := &fakeLab{}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // in the middle of the fault
		defer cancel()
		r, err := experiment.Run(ctx, lab, parse(t), experiment.Options{})
		if !errors.Is(err, context.DeadlineExceeded) || r == nil || r.Verdict != experiment.Failed {
			t.Errorf("%+v, %v", r, err)
		}
		if lab.share != 0 || !lab.touched {
			t.Error("the fault is still in force, or never was")
		}
	})
}

func TestReady(t *testing.T) {
	t.Parallel()
	lab := &fakeLab{}
	if _, err := experiment.Run(t.Context(), lab, parse(t, `chaos: "true"`, `chaos: "false"`), experiment.Options{}); err == nil || lab.touched {
		t.Errorf("run on a system that it is not for: %v", err)
	}
}

func TestWrites(t *testing.T) {
	t.Parallel()
	r := run(t, &fakeLab{}, parse(t, "about: A fault", "about: A <b>fault</b>"))
	dir := filepath.Join(t.TempDir(), "report")
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a-fault", "passed", "A &lt;b&gt;fault", "<polyline", "class=\"fault\"", "only a fake", "7 × http_503"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("%q is not on the page", want)
		}
	}
	var out strings.Builder
	if err := r.WriteText(&out); err != nil || !strings.Contains(out.String(), "success_rate > -5%") {
		t.Errorf("%s, %v", out.String(), err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, edits := range [][]string{
		{"name: a-fault", "name: A fault"}, {"about:", "abuot:"}, {"steady: [success_rate >= 99.9%]", "steady: []"}, {"at: 5s", "at: -5s"},
		{"success_rate < 95%", "success_rate = 95%"}, {"success_rate < 95%", "success_rate < 95x%"}, {"load: {length: 20s}", ""}, {"at: 5s", "at: soon"},
	} {
		if e, err := experiment.Parse([]byte(strings.NewReplacer(edits...).Replace(text))); !errors.Is(err, experiment.ErrExperiment) {
			t.Errorf("%q was taken: %+v, %v", edits, e, err)
		}
	}
}

// What is written is read as it was, random experiments included, and a seed always makes the same one.
func TestRandomRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		seed, length := rapid.Uint64().Draw(rt, "seed"), time.Duration(rapid.IntRange(9, 600).Draw(rt, "seconds"))*time.Second
		menu := []experiment.Choice{{Fault: "a", With: map[string]string{"x": "1"}}, {Fault: "b", Most: time.Second}, {Fault: "c"}}
		steps, err := experiment.RandomFaults(seed, length, menu)
		if err != nil || len(steps) == 0 {
			rt.Fatal(steps, err)
		}
		again, _ := experiment.RandomFaults(seed, length, menu)
		if !reflect.DeepEqual(steps, again) {
			rt.Fatal("the same seed made another experiment")
		}
		for _, s := range steps {
			if s.At < 3*time.Second || s.At+s.For > length-5*time.Second || s.For <= 0 {
				rt.Fatalf("%+v is not within %v", s, length)
			}
		}
		e := parse(t)
		e.Faults = steps
		var out bytes.Buffer
		if err := e.Write(&out); err != nil {
			rt.Fatal(err)
		}
		back, err := experiment.Parse(out.Bytes())
		if err != nil || !reflect.DeepEqual(back.Faults, steps) || len(back.Expect.During) != 2 {
			rt.Fatalf("%v\n%s", err, out.String())
		}
	})
	if _, err := experiment.RandomFaults(1, time.Second, nil); !errors.Is(err, experiment.ErrExperiment) {
		t.Error(err)
	}
}

// Whatever is in a file, it is an experiment that can be written and read again, or an error.
func FuzzParse(f *testing.F) {
	f.Add([]byte(text))
	f.Add([]byte("name: a\nfaults: [{fault: b, at: 1s}]\nload: 1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := experiment.Parse(data)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := e.Write(&out); err != nil {
			t.Fatal(err)
		}
		if _, err := experiment.Parse(out.Bytes()); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
	})
}
