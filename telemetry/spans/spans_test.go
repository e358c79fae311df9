package spans

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func TestSlowAndFailedOutliveRecent(t *testing.T) {
	t.Parallel()
	s := NewStore(Options{Process: "api-1", Recent: 10, Kept: 3})
	for i := range 100 {
		a := Answered{ID: fmt.Sprint("r", i), TraceID: "trace", Status: 200, Start: noon.Add(time.Duration(i) * time.Second), Took: time.Millisecond}
		switch {
		case i%40 == 1:
			a.Took = time.Second
		case i%40 == 2:
			a.Failed, a.Status = true, 500
		}
		s.Keep(a)
	}
	for id, want := range map[string]Class{"r1": Slow, "r41": Slow, "r2": Failed, "r82": Failed, "r99": Recent, "r89": "", "r50": "", "": ""} {
		got := s.Find(id)
		if want == "" && len(got) != 0 || want != "" && (len(got) != 1 || got[0].Class != want || got[0].Process != "api-1") {
			t.Errorf("%s: %+v, want %q", id, got, want)
		}
	}
	if all := s.Find("trace"); len(all) != 16 || all[0].ID != "r1" || all[15].ID != "r99" {
		t.Errorf("%d of a trace", len(all))
	}
	if l := s.List(Recent, 4); len(l) != 4 || l[0].ID != "r99" || l[3].ID != "r96" {
		t.Errorf("%+v", l)
	}
	if l := s.List("other", 4); len(l) != 0 {
		t.Errorf("%+v", l)
	}
}

func TestSpansOfARequest(t *testing.T) {
	t.Parallel()
	s := NewStore(Options{})
	ctx, r := Begin(t.Context(), time.Now().Add(-50*time.Millisecond))
	From(ctx).Ended("db", "GetCart", "replica-1", 20*time.Millisecond, errors.New("broke"))
	s.Keep(Answered{ID: "a", Request: r, Extra: []Span{{Kind: "cache", Name: "l1", Start: Unknown}}})
	From(ctx).Ended("db", "Late", "", time.Millisecond, nil) // in the background
	got := s.Find("a")[0].Spans
	if len(got) != 3 || got[0].Name != "l1" || got[1].Name != "GetCart" || got[1].Error != "broke" || got[1].Start < 30*time.Millisecond || got[2].Start < got[1].Start {
		t.Errorf("%+v", got)
	}
	From(context.Background()).Ended("db", "x", "", 0, nil) // belongs to no request
	for range 2 * MaxSpans {
		r.Add(Span{})
	}
	if tr := s.Find("a")[0]; len(tr.Spans) != MaxSpans+1 || tr.Dropped != MaxSpans+2 {
		t.Errorf("%d spans, %d dropped", len(tr.Spans), tr.Dropped)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := NewStore(Options{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				ctx, r := Begin(context.Background(), time.Now())
				From(ctx).Ended("db", "x", "", 0, nil)
				id := fmt.Sprint(w, "-", i)
				s.Keep(Answered{ID: id, Request: r})
				if i%100 == 0 {
					s.Find(id)
				}
			}
		})
	}
	wg.Wait()
	if n := len(s.List(Recent, 1000)); n != 512 {
		t.Errorf("%d are remembered", n)
	}
}

func TestTraceID(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": "4bf92f3577b34da6a3ce929d0e0e4736", "": "", "00-4bf9": ""} {
		if got := TraceID(header); got != want {
			t.Errorf("%q: %q", header, got)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	s := NewStore(Options{})
	ctx := context.Background()
	for b.Loop() {
		now := time.Now()
		_, r := Begin(ctx, now)
		s.Keep(Answered{ID: "a", Method: "GET", Request: r, Start: now, Took: time.Millisecond})
	}
	b.ReportAllocs()
}

func Example() {
	s := NewStore(Options{Process: "api-1"})
	ctx, r := Begin(context.Background(), noon)
	From(ctx).Add(Span{Kind: "db", Name: "GetProduct", Detail: "replica-1", Start: 2 * time.Millisecond, Took: 3 * time.Millisecond})
	s.Keep(Answered{ID: "7f3a", Route: "GET /products/{id}", Status: 200, Start: noon, Took: 8 * time.Millisecond, Request: r})
	for _, t := range s.Find("7f3a") {
		fmt.Println(t.Process, t.Route, t.Took, t.Spans[0].Name, t.Spans[0].Took)
	}
	// Output: api-1 GET /products/{id} 8ms GetProduct 3ms
}
