package bottleneck_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/predict/bottleneck"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// watch feeds a detector second by second and returns the first advice and when it came.
func watch(d *bottleneck.Detector, seconds int, use func(t float64) map[string]float64) (first []bottleneck.Advice, at int) {
	for t := range seconds {
		d.Observe(bottleneck.Sample{At: start.Add(time.Duration(t) * time.Second), Load: 100 + float64(t), Use: use(float64(t))})
		if a := d.Advice(); len(a) > 0 {
			return a, t
		}
	}
	return nil, 0
}

// A ramp is foretold minutes before it is full, with the moment in the interval; what is steady beside it is not named.
func TestForetellsARamp(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	noise := func() float64 { return 0.01 * rng.NormFloat64() }
	full := 600. // second at which the pool is full
	a, at := watch(bottleneck.New(bottleneck.Options{}), 600, func(t float64) map[string]float64 {
		return map[string]float64{"pool/shard2": 0.2 + 0.77*max(0, t-200)/(full-200) + noise(), "cpu/api-1": 0.6 + noise(), "lag/replica-1": 0.1 * math.Sin(t/9)}
	})
	left := full - float64(at)
	if len(a) != 1 || a[0].Resource != "pool/shard2" || left < 120 || a[0].Early > left || a[0].Late < left || math.Abs(a[0].Seconds-left) > 0.3*left {
		t.Fatalf("%v s before: %+v", left, a)
	}
	if text := strings.Join(a[0].Evidence, "; "); !strings.Contains(text, "points a minute") || !strings.Contains(a[0].Command, "pool_size") || !strings.Contains(a[0].Title, "shard2") || a[0].Confidence < 0.5 {
		t.Errorf("%+v", a[0])
	}
}

// Steps, waves, bursts and noise that stay below are not.
func TestKeepsQuiet(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(t float64) float64{
		"step":   func(t float64) float64 { return map[bool]float64{true: 0.8, false: 0.3}[t > 300] },
		"flat":   func(float64) float64 { return 0.85 },
		"slow":   func(t float64) float64 { return 0.3 + t/10_000 },
		"bursts": func(t float64) float64 { return map[bool]float64{true: 0.9, false: 0.2}[math.Mod(t, 60) < 5] },
	} {
		rng := rand.New(rand.NewPCG(2, 2))
		if a, at := watch(bottleneck.New(bottleneck.Options{}), 900, func(t float64) map[string]float64 {
			return map[string]float64{"cpu/x": use(t) + 0.01*rng.NormFloat64()}
		}); len(a) > 0 {
			t.Errorf("%s: after %d s %+v", name, at, a)
		}
	}
}

// What is full is found, at the head.
func TestFindsWhatIsFull(t *testing.T) {
	t.Parallel()
	d := bottleneck.New(bottleneck.Options{})
	a, at := watch(d, 600, func(t float64) map[string]float64 {
		return map[string]float64{"queue/mail": map[bool]float64{true: 1, false: 0.1}[t > 100], "other/thing": 0.5}
	})
	if len(a) == 0 || !a[0].Full || a[0].Resource != "queue/mail" || a[0].Seconds != 0 || at > 125 {
		t.Errorf("after %d s: %+v", at, a)
	}
}

// The same samples give the same advice, whatever they are; what is not a number is left out; memory is bounded.
func TestDetectorProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := bottleneck.New(bottleneck.Options{Resources: 3, Confirm: 1}), bottleneck.New(bottleneck.Options{Resources: 3, Confirm: 1})
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		slopes := make([]float64, 5)
		for i := range slopes {
			slopes[i] = rapid.Float64Range(-0.01, 0.01).Draw(t, "slope")
		}
		for s := range 120 {
			use := map[string]float64{"nan/x": math.NaN()}
			for i, slope := range slopes {
				use[fmt.Sprintf("r/%d", i)] = 0.3 + slope*float64(s) + 0.02*rng.NormFloat64()
			}
			sample := bottleneck.Sample{At: start.Add(time.Duration(s) * time.Second), Load: rng.Float64(), Use: use}
			a.Observe(sample)
			b.Observe(sample)
			b.Observe(sample) // again: it is not later
			if d := cmp.Diff(a.Advice(), b.Advice()); d != "" {
				t.Fatal(d)
			}
			for i, x := range a.Advice() {
				if x.Early > x.Seconds || x.Late < x.Seconds || x.Seconds < 0 || x.Confidence < 0 || x.Confidence > 1 || x.Resource > "r/2" {
					t.Fatalf("%+v", x)
				}
				if i > 0 && a.Advice()[i-1].Seconds > x.Seconds {
					t.Fatal("not ranked")
				}
			}
		}
	})
}

// On runs whose cause is planted, the prediction is right more often than the usual threshold, and earlier.
func TestEvaluateSimulatedRuns(t *testing.T) {
	t.Parallel()
	runs := bottleneck.Simulate(36, 7)
	if d := cmp.Diff(runs[:3], bottleneck.Simulate(3, 7)); d != "" {
		t.Error("the simulation is not deterministic")
	}
	v := bottleneck.Evaluate(runs, bottleneck.Options{})
	p, threshold := v[0], v[2]
	t.Logf("%+v\n%+v", p, threshold)
	if p.Precision < 0.75 || p.Recall < 0.75 || p.Lead < threshold.Lead+15 || p.Right+p.Missed != p.Causes {
		t.Errorf("%+v, threshold %+v", p, threshold)
	}
}

// A recording comes back as it was written; what is none is refused by its line.
func TestRecording(t *testing.T) {
	t.Parallel()
	run := bottleneck.Simulate(1, 3)[0]
	run.Name = "it"
	var b bytes.Buffer
	if err := run.Write(&b); err != nil {
		t.Fatal(err)
	}
	back, err := bottleneck.ReadRun(bytes.NewReader(b.Bytes()), "it")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(run, back); d != "" {
		t.Error(d)
	}
	label, sample := "{\"label\":{}}\n", `{"at":"2026-01-01T00:00:00Z","load":1,"use":{"cpu/x":0.5}}`+"\n"
	for text, want := range map[string]string{
		"":                         "no sample",
		label:                      "no sample",
		sample:                     "line 1",
		label + "x":                "line 2",
		label + sample + sample:    "line 3: samples have to be in order",
		label + sample + `{"at":3`: "line 3",
	} {
		if _, err := bottleneck.ReadRun(strings.NewReader(text), "it"); !errors.Is(err, bottleneck.ErrRun) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzReadRun(f *testing.F) {
	f.Add("{\"label\":{\"cause\":\"cpu/x\"}}\n{\"at\":\"2026-01-01T00:00:00Z\",\"load\":1,\"use\":{\"cpu/x\":0.5}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		run, err := bottleneck.ReadRun(strings.NewReader(text), "it")
		if err != nil {
			return
		}
		bottleneck.Evaluate([]bottleneck.Run{run}, bottleneck.Options{})
	})
}

// An explanation is asked for with figures alone; what comes instead of one is an error.
func TestExplain(t *testing.T) {
	t.Parallel()
	var got string
	answer, status := `{"choices":[{"message":{"content":" The pool fills. "}}]}`, http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got = r.Header.Get("Authorization") + " " + string(raw)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer srv.Close()
	e := bottleneck.Explainer{URL: srv.URL, Model: "m", Key: "k"}
	a := bottleneck.Advice{Resource: "pool/shard2", Use: 0.8, Seconds: 90, Command: "do this"}
	text, err := e.Explain(context.Background(), a)
	if err != nil || text != "The pool fills." || !strings.HasPrefix(got, "Bearer k ") || !strings.Contains(got, "pool/shard2") || strings.Contains(got, "do this") {
		t.Errorf("%q, %v: %s", text, err, got)
	}
	var sent map[string]any
	if json.Unmarshal([]byte(strings.TrimPrefix(got, "Bearer k ")), &sent) != nil || sent["model"] != "m" {
		t.Errorf("%s", got)
	}
	for _, bad := range []struct {
		answer string
		status int
	}{{"{}", 200}, {"no", 200}, {answer, 500}} {
		answer, status = bad.answer, bad.status
		if _, err := e.Explain(context.Background(), a); !errors.Is(err, bottleneck.ErrExplain) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	srv.Close()
	if _, err := e.Explain(context.Background(), a); !errors.Is(err, bottleneck.ErrExplain) {
		t.Error(err)
	}
}

func Example() {
	d := bottleneck.New(bottleneck.Options{})
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for t := range 200 { // a pool of which one connection in a hundred is lost every four seconds
		d.Observe(bottleneck.Sample{At: at.Add(time.Duration(t) * time.Second), Load: 50, Use: map[string]float64{"pool/shard1": 0.3 + float64(t)/400}})
	}
	a := d.Advice()[0]
	fmt.Printf("%s in %.0f s\n", a.Title, a.Seconds)
	// Output: connections to shard1 run out in 69 s
}

func BenchmarkObserve(b *testing.B) {
	run := bottleneck.Simulate(1, 1)[0]
	for b.Loop() {
		d := bottleneck.New(bottleneck.Options{})
		for _, s := range run.Samples {
			d.Observe(s)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(run.Samples)), "µs/sample")
}
