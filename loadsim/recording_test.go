package loadsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// events are what may happen in a run.
func events(t *rapid.T, label string) []func(*tally) {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) func(*tally) {
		d := time.Duration(rapid.IntRange(0, 3_000_000).Draw(t, "µs")) * time.Microsecond
		st := step(rapid.IntRange(0, int(stepCount)-1).Draw(t, "step"))
		switch rapid.IntRange(0, 6).Draw(t, "what") {
		case 0:
			return func(t *tally) { t.add(result{step: st, took: d, fail: wrong("kind"+d.String()[:1], "text")}) }
		case 1:
			return func(t *tally) { t.add(result{step: st, took: d, refusal: 409, replayed: true}) }
		case 2:
			return func(t *tally) { t.queued(d); t.admit(d); t.late(d) }
		case 3:
			return func(t *tally) { t.abandon(leftSlow); t.journey(); t.retry() }
		default:
			return func(t *tally) { t.add(result{step: st, took: d, order: st == stepCheckout}) }
		}
	}), 0, 30).Draw(t, label)
}

// record has two seconds pass, the second one perhaps a little longer.
func record(first, second []func(*tally), longer time.Duration) *Recording {
	rec := newRecorder(2)
	s := newSeries(rec)
	for i, e := range first {
		e(rec.of(i))
	}
	s.advance(time.Second, gauges{1, 10})
	for i, e := range second {
		e(rec.of(i))
	}
	s.advance(2*time.Second+longer, gauges{1, 20 + 10*longer.Seconds()})
	return &Recording{Meta{Target: "t", Scenario: "s", Model: "open", Took: 2, Generators: 1, Due: 5, Started: time.Unix(1, 0).UTC()}, rec.total(), s.points}
}

// What two generators recorded, sent as JSON and merged, is what one would have recorded that saw it all.
func TestMergedRecordingsAreTheWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a1, a2, b1, b2 := events(t, "a1"), events(t, "a2"), events(t, "b1"), events(t, "b2")
		whole := record(slices.Concat(a1, b1), slices.Concat(a2, b2), 0)
		var merged Recording
		raw, err := json.Marshal(record(a1, a2, 0))
		if err != nil || json.Unmarshal(raw, &merged) != nil {
			t.Fatal(err)
		}
		if err := merged.Merge(record(b1, b2, 50*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		got, want := merged.Report(), whole.Report()
		if !reflect.DeepEqual(got.ResponseTimes, want.ResponseTimes) || !reflect.DeepEqual(got.WaitingRoom, want.WaitingRoom) ||
			!reflect.DeepEqual(got.Summary.Abandoned, want.Summary.Abandoned) || !reflect.DeepEqual(got.Refused, want.Refused) {
			t.Fatalf("%+v\n%+v", got, want)
		}
		if got.Summary.Failed != want.Summary.Failed || got.Summary.Orders != want.Summary.Orders || got.Generator.Generators != 2 || got.Generator.Due != 10 {
			t.Fatalf("%+v\n%+v", got, want)
		}
		for kind, f := range want.Errors {
			if got.Errors[kind] == nil || got.Errors[kind].Count != f.Count {
				t.Fatalf("%s: %+v, want %+v", kind, got.Errors[kind], f)
			}
		}
		if len(got.Series) != 2 {
			t.Fatalf("%d points", len(got.Series))
		}
		for i, p := range want.Series {
			q := got.Series[i]
			if q.Requests != p.Requests || q.Errors != p.Errors || q.P99 != p.P99 || q.Places != p.Places || q.Users != 2 || math.Abs(q.Level-20) > 1e-6 {
				t.Fatalf("point %d: %+v, want %+v", i, q, p)
			}
		}
	})
}

func TestRecordingsOfDifferentLoads(t *testing.T) {
	t.Parallel()
	a, b := record(nil, nil, 0), record(nil, nil, 0)
	b.Scenario = "other"
	if err := a.Merge(b); !errors.Is(err, ErrRecordings) {
		t.Errorf("%v", err)
	}
	for _, text := range []string{`{}`, `[]`, `{"steps":{"browse":{"n":1,"hist":"AAAA"}}}`} {
		if err := json.Unmarshal([]byte(text), new(Recording)); err == nil {
			t.Errorf("%s was taken for a recording", text)
		}
	}
}

// Whoever could not keep up says so.
func TestDoubts(t *testing.T) {
	t.Parallel()
	late := func(lag, took time.Duration, change func(*Recording)) string {
		sum := newTally()
		for range 100 {
			sum.late(lag)
			sum.add(result{took: took})
		}
		r := &Recording{Meta{Took: 1, Due: 100}, sum, nil}
		if change != nil {
			change(r)
		}
		rep := r.Report()
		if rep.Summary.Valid != (len(rep.Summary.Invalid) == 0) {
			t.Errorf("%+v", rep.Summary)
		}
		return fmt.Sprint(rep.Summary.Invalid)
	}
	for name, c := range map[string]struct{ got, want string }{
		"in time":             {late(time.Millisecond, 2*time.Millisecond, nil), ""},
		"a little late":       {late(9*time.Millisecond, 10*time.Millisecond, nil), ""},
		"late, of slow ones":  {late(50*time.Millisecond, time.Second, nil), ""},
		"late":                {late(50*time.Millisecond, 400*time.Millisecond, nil), "could not keep up"},
		"not all sent":        {late(0, 0, func(r *Recording) { r.Unsent = 3 }), "3 of 100 arrivals"},
		"broken off":          {late(0, 0, func(r *Recording) { r.Unsent, r.Interrupted = 3, true }), ""},
		"too few shoppers":    {late(0, 0, func(r *Recording) { r.Crowded = 4 }), "4 arrivals found all shoppers waiting"},
		"a generator is lost": {late(0, 0, func(r *Recording) { r.Lost = []string{"b"} }), "generator b was lost"},
	} {
		if c.want == "" && c.got != "[]" || !strings.Contains(c.got, c.want) {
			t.Errorf("%s: %s", name, c.got)
		}
	}
}

// The exponent of popularity is what was asked for.
func TestZipfExponent(t *testing.T) {
	t.Parallel()
	for _, s := range []float64{0, 0.7, 1.3} {
		z := newZipf(100, s)
		for _, k := range []int{2, 10, 100} {
			first, kth := z[0], z[k-1]-z[k-2]
			if got, want := first/kth, math.Pow(float64(k), s); got < 0.999*want || got > 1.001*want {
				t.Errorf("exponent %v: the first is wanted %v times as often as number %d, want %v", s, got, k, want)
			}
		}
	}
}
