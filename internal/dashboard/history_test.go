package dashboard

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// What was added is found at its second, what was not is unknown, and nothing older than an hour remains.
func TestHistoryKeepsAnHour(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var h History
		now := int64(1_000_000)
		want := map[int64]float32{}
		for range rapid.IntRange(1, 60).Draw(t, "adds") {
			now += rapid.SampledFrom([]int64{0, 1, 1, 1, 2, 30, 700}).Draw(t, "skip")
			v := float32(rapid.IntRange(0, 1000).Draw(t, "v"))
			h.Add(time.Unix(now, 0), map[string]float64{"x": float64(v)})
			want[now] = v
		}
		minutes := rapid.IntRange(1, 15).Draw(t, "minutes") // up to 900 values: not thinned
		s := h.Last(time.Duration(minutes) * time.Minute)
		points := s.Values["x"]
		if s.Step != 1 || s.From+int64(len(points))-1 != now || len(points) > minutes*60 {
			t.Fatalf("%d values from %d by %d, now is %d", len(points), s.From, s.Step, now)
		}
		for i, p := range points {
			v, known := want[s.From+int64(i)]
			if known != (p != nil) || known && *p != v {
				t.Fatalf("second %d is %v, want %v %v", s.From+int64(i), p, v, known)
			}
		}
	})
}

func TestHistoryIsThinnedAndBounded(t *testing.T) {
	t.Parallel()
	var h History
	for i := range int64(2 * slots) {
		h.Add(time.Unix(i, 0), map[string]float64{"x": float64(i % 2)})
	}
	s := h.Last(24 * time.Hour)
	if len(s.Values["x"]) > maxPoints || *s.Values["x"][10] != .5 {
		t.Errorf("%d values, one is %v", len(s.Values["x"]), *s.Values["x"][10])
	}
	many := map[string]float64{}
	for i := range 2 * maxNames {
		many[strings.Repeat("x", i+1)] = 1
	}
	h.Add(time.Unix(int64(3*slots), 0), many)
	if n := len(h.Last(time.Minute).Values); n > maxNames {
		t.Errorf("%d figures are kept", n)
	}
	h.Add(time.Unix(5, 0), map[string]float64{"x": 7}) // the clock was set back
	if got := h.Last(time.Second).Values["x"][0]; *got != 1 {
		t.Errorf("a clock set back overwrote: %v", *got)
	}
}

func TestCollector(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0.0
		c := NewCollector(Options{
			Metrics: func(context.Context) map[string][]Family {
				n += 100
				return map[string][]Family{"edge": {counter(edgeRequests, n, "code", "200")}}
			},
			Extra: func(_ context.Context, s *Snapshot) { s.Values["extra"] = 1 },
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Run(ctx) }()
		<-c.Changed()
		if s := c.Latest(); s.Values["http.rps"] != 100 || s.Values["extra"] != 1 {
			t.Errorf("%v", s.Values)
		}
		time.Sleep(20 * time.Second)
		cancel()
		<-done
		w := httptest.NewRecorder()
		c.ServeHistory(w, httptest.NewRequest("GET", "/?minutes=1", nil))
		var got Stretch
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Values["http.rps"]) < 20 {
			t.Errorf("%v %s", err, w.Body)
		}
		if len(c.frames) > longFrames+1 {
			t.Errorf("%d frames are kept", len(c.frames))
		}
	})
}

func TestPagesAndAssets(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"live", "products", "campaigns", "orders", "dead", "signin"} {
		w := httptest.NewRecorder()
		Page(w, 200, name, map[string]any{"Chaos": false})
		body := w.Body.String()
		if !strings.Contains(body, "</html>") || strings.Contains(body, "style=") || strings.Contains(body, "onclick=") {
			t.Errorf("%s is not whole, or has what its policy forbids: %s", name, body)
		}
		if !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s has no policy", name)
		}
	}
	r := httptest.NewRequest("GET", assetURL("dash.js"), nil)
	r.SetPathValue("file", "dash.js")
	w := httptest.NewRecorder()
	Asset(w, r)
	if !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || !strings.Contains(w.Header().Get("Content-Type"), "javascript") {
		t.Errorf("%v", w.Header())
	}
}

func TestUsageKnowsThisProcess(t *testing.T) {
	t.Parallel()
	cpu, rss := usage(map[string]int{"me": os.Getpid()})
	if cpu == nil {
		t.Skip("only known on Linux")
	}
	if rss["me"] < 1<<20 {
		t.Errorf("%v bytes", rss["me"])
	}
}
