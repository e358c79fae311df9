package report

import (
	"bytes"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/internal/buckets"
)

// sample is the report of a run of so many seconds, with bad answers in the middle third if there are kinds of them.
func sample(seconds int, kinds ...string) *loadsim.Report {
	r := &loadsim.Report{
		Summary: loadsim.Summary{
			Target: "http://shop.example", Scenario: "journey", Model: "open", Rate: 100, Per: "request", StartedAt: time.Unix(1e9, 0).UTC(),
			Duration: float64(seconds), GoodWithin: 2, Valid: true, Orders: 12345, Abandoned: map[string]int64{"too_slow": 3},
		},
		ResponseTimes: map[string]loadsim.Latency{}, Errors: map[string]*loadsim.Failures{}, Refused: map[string]int64{"409": 7},
		WaitingRoom: loadsim.WaitingRoom{Places: 5, Admitted: 4},
	}
	for i := range seconds {
		p := loadsim.Point{Start: float64(i), Seconds: 1, Users: 5, Level: 100, P50: 0.01, P95: 0.02, P99: 0.2, Steps: map[string]loadsim.StepPoint{}}
		for j, step := range []string{"browse", "view", "checkout"} {
			var c buckets.Counts
			for k := range 40 {
				c.Add(time.Duration((j+1)*(k+5)) * time.Millisecond)
			}
			s := loadsim.StepPoint{Times: c.Sparse()}
			if i >= seconds/3 && i < 2*seconds/3 && len(kinds) > 0 {
				s.Errors = 3
				p.Kinds = map[string]int64{kinds[j%len(kinds)]: 3}
				if r.Errors[kinds[j%len(kinds)]] == nil {
					r.Errors[kinds[j%len(kinds)]] = &loadsim.Failures{Samples: []string{"browse: <script>alert(1)</script>"}}
				}
				r.Errors[kinds[j%len(kinds)]].Count += 3
			}
			p.Steps[step], p.Requests, p.Errors = s, p.Requests+40, p.Errors+s.Errors
			r.ResponseTimes[step] = loadsim.Latency{Count: int64(40 * (i + 1)), Avg: 0.01, P50: 0.01, P95: 0.04, P99: 0.05 * float64(j+1), Max: 1}
		}
		r.Summary.TotalRequests, r.Summary.Failed = r.Summary.TotalRequests+p.Requests, r.Summary.Failed+p.Errors
		r.Series = append(r.Series, p)
	}
	r.ResponseTimes["all"] = loadsim.Latency{Count: r.Summary.TotalRequests, Avg: 0.01, P50: 0.01, P95: 0.05, P99: 0.1, Max: 1}
	if n := float64(r.Summary.TotalRequests); n > 0 {
		r.Summary.SuccessRate = 1 - float64(r.Summary.Failed)/n
	}
	return r
}

func TestMain(m *testing.M) {
	dpi = 48
	goleak.VerifyTestMain(m)
}

var names = []string{"throughput", "latency", "errors", "distribution", "percentiles", "heatmap", "steps"}

// ink is the share of a picture that is not white.
func inkOf(t *testing.T, file string) float64 {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	b := img.Bounds()
	if b.Dx() < 400 || b.Dy() < 60 {
		t.Errorf("%s is %d × %d pixels", file, b.Dx(), b.Dy())
	}
	n := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); r&g&b != 0xffff {
				n++
			}
		}
	}
	return float64(n) / float64(b.Dx()*b.Dy())
}

func TestWrite(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*loadsim.Report{
		"good": sample(1), "bad": sample(12, "http_503", "timeout", "slow"), "long": sample(400, "http_500"), "nothing": sample(0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "out")
			if err := Write(dir, r); err != nil {
				t.Fatal(err)
			}
			for _, picture := range names {
				// a title alone is below half a percent
				if got := inkOf(t, filepath.Join(dir, picture+".png")); got < 0.003 || name != "nothing" && got < 0.012 {
					t.Errorf("%s: %.4f of it is not white", picture, got)
				}
			}
			back, err := loadsim.ReadReport(dir)
			if err != nil || back.Summary.TotalRequests != r.Summary.TotalRequests || len(back.Series) != len(r.Series) {
				t.Errorf("%v, %+v", err, back)
			}
			page, err := os.ReadFile(filepath.Join(dir, "report.html"))
			if err != nil {
				t.Fatal(err)
			}
			checkPage(t, string(page), r)
		})
	}
}

// reference is anything that a browser would fetch.
var reference = regexp.MustCompile(`(?i)(src|href)\s*=\s*"([^"]*)"|url\(|@import|<script|<link`)

// checkPage: it needs nothing from elsewhere, runs nothing, and says what the report says.
func checkPage(t *testing.T, page string, r *loadsim.Report) {
	t.Helper()
	for _, m := range reference.FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[2], "data:image/png;base64,") {
			t.Errorf("the page fetches or runs %.80q", m[0])
		}
	}
	if n := strings.Count(page, "data:image/png"); n != len(names)-1 {
		t.Errorf("%d pictures", n)
	}
	want := []string{"journey", "http://shop.example", thousands(r.Summary.TotalRequests), "12,345", "too slow"}
	switch {
	case r.Summary.TotalRequests == 0:
		want = append(want, "Nothing was asked.")
	case r.Summary.Failed == 0:
		want = append(want, "Every request was answered well.")
	default:
		want = append(want, "were answered badly", "&lt;script&gt;")
	}
	for _, words := range want {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
}

func TestAnInvalidReportSaysSoFirst(t *testing.T) {
	t.Parallel()
	r := sample(3)
	r.Summary.Valid, r.Summary.Invalid = false, []string{"the generator was late"}
	if words, good := verdict(r); good || !strings.Contains(words, "not to be trusted: the generator was late") {
		t.Errorf("%s", words)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		duration(0): "0", duration(0.00005): "50 µs", duration(0.0123): "12.3 ms", duration(0.9999): "1 s", duration(90): "90 s", duration(600): "10 min", duration(36000): "10 h",
		count(0.5): "0.5", count(999): "999", count(12_345): "12.3k", count(3e6): "3M", thousands(1234567): "1,234,567", thousands(12): "12", thousands(0): "0",
		percent(1): "100 %", percent(0): "0 %", percent(0.999999): ">99.99 %", percent(0.000001): "<0.01 %", percent(0.5): "50.00 %",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for v, want := range map[float64]float64{0: 1, 0.3: 0.5, 1: 1, 1.1: 2, 4: 5, 7: 10, 30: 50} {
		if got := niceStep(v); got < want*0.999 || got > want*1.001 {
			t.Errorf("%v: step %v, want %v", v, got, want)
		}
	}
}

// The time series survives JSON, its histograms included.
func TestSeriesInJSON(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(sample(2).Series[1])
	if err != nil || !strings.Contains(string(raw), `"times":"`) {
		t.Errorf("%s %v", raw, err)
	}
}

func BenchmarkWrite(b *testing.B) {
	dir, r := b.TempDir(), sample(60, "http_503")
	for b.Loop() {
		if err := Write(dir, r); err != nil {
			b.Fatal(err)
		}
	}
}
