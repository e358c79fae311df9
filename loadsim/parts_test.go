package loadsim

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/loadsim/internal/buckets"
)

func TestTallyMath(t *testing.T) {
	t.Parallel()
	rec := newRecorder(3)
	for i := range 1000 {
		rec.of(i).add(result{step: stepBrowse, took: time.Duration(i+1) * time.Millisecond})
	}
	rec.of(0).add(result{step: stepCheckout, took: time.Hour, fail: wrong("x", "text"), order: true})
	r := (&Recording{Meta{Took: 10}, rec.total(), nil}).Report()
	l := r.ResponseTimes["browse"]
	for what, c := range map[string][2]float64{
		"avg": {l.Avg, 0.5005}, "p50": {l.P50, 0.5}, "p95": {l.P95, 0.95}, "p99": {l.P99, 0.99}, "max": {l.Max, 1},
		"checkout max": {r.ResponseTimes["checkout"].Max, 3600}, "all max": {r.ResponseTimes["all"].Max, 3600},
		"throughput": {r.Summary.Throughput, 100.1}, "success": {r.Summary.SuccessRate, 1000.0 / 1001},
	} {
		if math.Abs(c[0]-c[1]) > 0.002*c[1] {
			t.Errorf("%s is %v, want %v", what, c[0], c[1])
		}
	}
	if r.Summary.Orders != 1 || r.Errors["x"].Samples[0] != "checkout: text" {
		t.Errorf("%+v %+v", r.Summary, r.Errors["x"])
	}
	checkMath2(t, rec)
}

// checkMath2: merging twice gives the same, so it takes nothing away.
func checkMath2(t *testing.T, rec *recorder) {
	t.Helper()
	if a, b := rec.total(), rec.total(); a.steps[0].n != b.steps[0].n || a.Bad != b.Bad {
		t.Error("merging changes what is merged")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	rec := newRecorder(100_000)
	if n := len(rec.tallies); n > 16 {
		t.Errorf("%d tallies", n)
	}
	for i := range 1000 {
		rec.of(i).add(result{fail: wrong(fmt.Sprint("kind", i), "text %d", i)})
		rec.of(i).add(result{fail: wrong("one", "text %d", i)})
	}
	sum := rec.total()
	if len(sum.failed) > maxKinds+1 || len(sum.failed["one"].Samples) > maxSamples {
		t.Errorf("%d kinds, %d samples", len(sum.failed), len(sum.failed["one"].Samples))
	}
	s := newSeries(newRecorder(1))
	const seconds = 100_000
	for i := range seconds {
		s.add(Point{Start: float64(i), Seconds: 1, Requests: 2, Errors: 1, Steps: map[string]StepPoint{"browse": {1, buckets.Sparse{{Index: i % 10, N: 2}}}}})
	}
	var at float64
	var requests int64
	for _, p := range s.points {
		if p.Start != at {
			t.Fatalf("a point at %v, want %v", p.Start, at)
		}
		at += p.Seconds
		requests += p.Requests
	}
	if len(s.points) > maxPoints || at != seconds || requests != 2*seconds {
		t.Errorf("%d points to %v with %d requests", len(s.points), at, requests)
	}
}

func TestZipf(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var hits [10]int
	for range 100_000 {
		hits[place.draw(rng, 10)]++
	}
	if r := float64(hits[0]) / float64(hits[9]); r < 9 || r > 11 {
		t.Errorf("the first is drawn %.1f times as often as the tenth", r)
	}
	if place.draw(rng, 1) != 0 || place.draw(rng, 1_000_000) >= len(place) {
		t.Error("out of range")
	}
}

func TestNextPage(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`</products?cursor=x%2By&limit=20>; rel="next"`:      "/products?cursor=x%2By&limit=20",
		`<http://elsewhere:1/products?cursor=1>; rel="next"`: "/products?cursor=1",
		`</a>; rel="prev", </b?c=1,2>; rel=next`:             "/b?c=1,2",
		`</a>; rel="prev"`:                                   "", "": "", "<": "", "<x>": "", `<//evil>; rel="next"`: "",
	} {
		if got := nextPage([][]byte{[]byte(line)}); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestJar(t *testing.T) {
	t.Parallel()
	var j jar
	set := func(lines ...string) {
		for _, line := range lines {
			j.take(line)
		}
	}
	set("sid=a; Path=/; HttpOnly", "t=1", "bad cookie\x00")
	set("sid=b; SameSite=Lax")
	if string(j.append(nil)) != "sid=b; t=1" {
		t.Errorf("%q", string(j.append(nil)))
	}
	set("t=; Max-Age=0")
	if string(j.append(nil)) != "sid=b" {
		t.Errorf("%q", string(j.append(nil)))
	}
	for i := range 100 {
		set(fmt.Sprintf("c%d=1", i))
	}
	if len(j.names) != maxCookies {
		t.Errorf("%d cookies", len(j.names))
	}
	j.clear()
	if string(j.append(nil)) != "" {
		t.Error("not cleared")
	}
}

// FuzzScan: whatever encoding/json takes for a list of products the scanner takes too, with the same ids; and it never
// panics.
func FuzzScan(f *testing.F) {
	for _, s := range []string{`[]`, ` [ {"id" : 1, "name":"a\\\"b", "price":2, "x":{"y":[1,{}]}} ] `, `[{"id":1}`, `[1]`, `{"id":1}`, `"`, `[{"id":1,"name":"","price":0},]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseList([]byte(text))
		_, _ = parseProduct([]byte(text))
		var want []struct {
			ID           *int64           `json:"id"`
			Name         *string          `json:"name"`
			Price        *int64           `json:"price"`
			Availability *string          `json:"availability"`
			Category     *string          `json:"category"`
			Brand        *string          `json:"brand"`
			Rest         *json.RawMessage `json:"-"`
		}
		if json.Unmarshal([]byte(text), &want) != nil || hasOddKeys(text) {
			return
		}
		for i, w := range want {
			if w.ID == nil || *w.ID <= 0 || w.Name == nil || w.Price == nil || *w.Price < 0 || w.Availability == nil || w.Category == nil || w.Brand == nil {
				return
			}
			if err == nil && got[i].id != *w.ID {
				t.Fatalf("id %d, want %d", got[i].id, *w.ID)
			}
		}
		if err != nil || len(got) != len(want) {
			t.Fatalf("%v, %d products of %d", err, len(got), len(want))
		}
	})
}

// hasOddKeys: encoding/json matches names without regard to case, decodes escapes in them and lets null leave a value
// alone; the scanner does not, and need not.
func hasOddKeys(text string) bool {
	var list []map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &list) != nil {
		return true
	}
	for _, m := range list {
		for name := range m {
			switch name {
			case "id", "name", "price", "availability", "category", "brand", "x":
			default:
				return true
			}
		}
		for _, name := range []string{"id", "name", "price", "availability", "category", "brand"} {
			if v := string(m[name]); v == "null" || v == "-0" {
				return true
			}
		}
	}
	return len(list) > 0 && containsEscape(text)
}

func containsEscape(text string) bool {
	for i := range len(text) {
		if text[i] == '\\' || text[i] >= 0x80 {
			return true
		}
	}
	return false
}
