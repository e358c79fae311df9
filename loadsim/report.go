package loadsim

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Report is what a run measured. Times are seconds.
type Report struct {
	Summary       Summary              `json:"summary"`
	ResponseTimes map[string]Latency   `json:"response_times"` // by step: browse, view, cart, checkout, all
	Errors        map[string]*Failures `json:"errors"`         // by kind
	Refused       map[string]int64     `json:"refused"`        // expected 402, 404, 409: good, by status
	Series        []Point              `json:"time_series"`
}

// Summary is a run in a few figures.
type Summary struct {
	Target        string    `json:"target"`
	Scenario      string    `json:"scenario"`
	Users         int       `json:"users"`
	Seed          uint64    `json:"seed"`
	StartedAt     time.Time `json:"started_at"`
	Duration      float64   `json:"duration_s"` // until the last answer
	TotalRequests int64     `json:"total_requests"`
	Failed        int64     `json:"failed_requests"`
	SuccessRate   float64   `json:"success_rate"`   // good / total, 0 to 1; 0 when nothing was asked
	Throughput    float64   `json:"avg_throughput"` // requests per second, good and bad
	Orders        int64     `json:"orders"`         // confirmed
	Journeys      int64     `json:"journeys"`       // sessions walked to their end
	Replays       int64     `json:"replays"`        // requests sent twice because their connection broke; each counts once
	Interrupted   bool      `json:"interrupted,omitempty"`
}

// Latency is the distribution of response times of one step, good and bad answers alike, in seconds.
type Latency struct {
	Count int64   `json:"count"`
	Avg   float64 `json:"avg"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

// Failures are the bad outcomes of one kind, a few of them in words.
type Failures struct {
	Count   int64    `json:"count"`
	Samples []string `json:"samples"`
}

// report makes the Report of a run that took so long.
func report(o Options, started time.Time, took time.Duration, sum *tally, points []Point) *Report {
	all := stats{hist: newHistogram()}
	times := map[string]Latency{}
	for i := range sum.steps {
		all.merge(&sum.steps[i])
		times[stepNames[i]] = sum.steps[i].latency()
	}
	times["all"] = all.latency()
	r := &Report{
		Summary: Summary{
			Target: o.Target, Scenario: o.Scenario, Users: o.Users, Seed: o.Seed, StartedAt: started.UTC(), Duration: took.Seconds(),
			TotalRequests: all.n, Failed: sum.bad, Orders: sum.orders, Journeys: sum.journeys, Replays: sum.replays,
		},
		ResponseTimes: times, Errors: sum.failed, Refused: map[string]int64{}, Series: points,
	}
	if all.n > 0 {
		r.Summary.SuccessRate = float64(all.n-sum.bad) / float64(all.n)
	}
	if took > 0 {
		r.Summary.Throughput = float64(all.n) / took.Seconds()
	}
	for status, n := range sum.refused {
		r.Refused[strconv.Itoa(status)] = n
	}
	return r
}

func (s *stats) latency() Latency {
	if s.n == 0 {
		return Latency{}
	}
	top := s.max.Seconds()
	at := func(q float64) float64 { return min(seconds(s.hist.ValueAtQuantile(q)), top) } // a bucket's upper end may be beyond
	return Latency{
		Count: s.n, Avg: s.sum.Seconds() / float64(s.n), Max: top,
		P50: at(50), P90: at(90), P95: at(95), P99: at(99), P999: at(99.9),
	}
}

// WriteFiles writes report.json and report.txt into dir, which is made if need be. Each file is complete or absent.
func (r *Report) WriteFiles(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("loadsim: make report folder: %w", err)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("loadsim: encode report: %w", err)
	}
	if err := replaceFile(filepath.Join(dir, "report.json"), append(data, '\n')); err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, "report.txt"), []byte(r.text()))
}

func replaceFile(path string, data []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return fmt.Errorf("loadsim: write report: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = os.Remove(tmp)
		return fmt.Errorf("loadsim: write report: %w", err)
	}
	return nil
}
