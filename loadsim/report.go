package loadsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// allSteps is the name under which reports give all steps together.
const allSteps = "all"

// Report is what a run measured. Times are seconds. In an open model they count from when a request was due, so that a shop
// that holds requests up cannot hide it by holding up the generator.
type Report struct {
	Summary       Summary              `json:"summary"`
	ResponseTimes map[string]Latency   `json:"response_times"` // by step, and all
	Errors        map[string]*Failures `json:"errors"`         // by kind
	Refused       map[string]int64     `json:"refused"`        // expected 402, 404, 409: good, by status
	WaitingRoom   WaitingRoom          `json:"waiting_room"`
	Generator     Generator            `json:"generator"`
	Series        []Point              `json:"time_series"`
}

// Summary is a run in a few figures.
type Summary struct {
	Target        string           `json:"target"`
	Scenario      string           `json:"scenario"`
	Model         string           `json:"model"` // open or closed
	Users         int              `json:"users"` // closed: shoppers at once, at level 1
	Rate          float64          `json:"rate"`  // open: arrivals a second, at level 1
	Per           string           `json:"per"`   // open: what the rate counts, request or session
	Seed          uint64           `json:"seed"`
	StartedAt     time.Time        `json:"started_at"`
	Duration      float64          `json:"duration_s"`  // until the last answer
	GoodWithin    float64          `json:"good_within"` // seconds
	TotalRequests int64            `json:"total_requests"`
	Failed        int64            `json:"failed_requests"`
	SuccessRate   float64          `json:"success_rate"`   // good / total, 0 to 1; 0 when nothing was asked
	Throughput    float64          `json:"avg_throughput"` // requests per second, good and bad
	Orders        int64            `json:"orders"`         // confirmed
	Journeys      int64            `json:"journeys"`       // sessions that came to their end
	Abandoned     map[string]int64 `json:"abandoned"`      // of them left early, by reason
	Retries       int64            `json:"retries"`        // requests sent again because an answer said to come back; each counts
	Replays       int64            `json:"replays"`        // requests sent twice because their connection broke; each counts once
	Interrupted   bool             `json:"interrupted,omitempty"`
	Valid         bool             `json:"valid"`             // the generator did what it was asked to
	Invalid       []string         `json:"invalid,omitempty"` // why not
}

// WaitingRoom is what happened there: neither good nor bad, and in none of the other figures.
type WaitingRoom struct {
	Places   int64   `json:"places"`   // answers that were a place in it
	Admitted int64   `json:"admitted"` // shoppers let in
	Answers  Latency `json:"answers"`  // response times of those answers
	Waits    Latency `json:"waits"`    // of those let in, from their first place on
}

// Generator is how the load generator itself did.
type Generator struct {
	Generators int     `json:"generators"`
	Cores      int     `json:"cores"`
	CPU        float64 `json:"cpu_s"`
	PeakUsers  int64   `json:"peak_users"` // shoppers at work at once
	Due        int64   `json:"due"`        // arrivals of an open model
	Unsent     int64   `json:"unsent"`     // of them never sent
	Crowded    int64   `json:"crowded"`    // of them delayed or dropped because all shoppers waited for answers
	Lag        Latency `json:"lag"`        // how much later than due it acted
}

// Latency is a distribution of times: of response times, good and bad answers alike. In seconds.
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

// Report makes the report of what was recorded; nil of nil.
func (r *Recording) Report() *Report {
	if r == nil {
		return nil
	}
	t := r.sum
	all := stats{hist: newHistogram()}
	times := map[string]Latency{}
	for i := range t.steps {
		all.merge(&t.steps[i])
		times[stepNames[i]] = t.steps[i].latency()
	}
	times[allSteps] = all.latency()
	out := &Report{
		Summary: Summary{
			Target: r.Target, Scenario: r.Scenario, Model: r.Model, Users: r.Users, Rate: r.Rate, Per: r.Per, Seed: r.Seed,
			StartedAt: r.Started, Duration: r.Took, GoodWithin: r.GoodWithin, TotalRequests: all.n, Failed: t.Bad, Orders: t.Orders,
			Journeys: t.Sessions, Abandoned: t.abandoned, Retries: t.Retries, Replays: t.Replays, Interrupted: r.Interrupted,
		},
		ResponseTimes: times, Errors: t.failed, Refused: map[string]int64{}, Series: r.points,
		WaitingRoom: WaitingRoom{t.Places, t.Admitted, t.queue.latency(), t.wait.latency()},
		Generator:   Generator{r.Generators, r.Cores, r.CPU, r.Peak, r.Due, r.Unsent, r.Crowded, t.lag.latency()},
	}
	if all.n > 0 {
		out.Summary.SuccessRate = float64(all.n-t.Bad) / float64(all.n)
	}
	if r.Took > 0 {
		out.Summary.Throughput = float64(all.n) / r.Took
	}
	for status, n := range t.refused {
		out.Refused[strconv.Itoa(status)] = n
	}
	out.Summary.Invalid = r.doubts(out)
	out.Summary.Valid = len(out.Summary.Invalid) == 0
	return out
}

// lagAllowed is how late the generator may be: beyond it, and beyond a tenth of what it measured, its own lateness colours
// the result.
const lagAllowed = 0.010

// doubts are the reasons not to believe a report.
func (r *Recording) doubts(out *Report) (why []string) {
	lag, measured := out.Generator.Lag.P99, out.ResponseTimes[allSteps].P99
	if lag > lagAllowed && lag > measured/10 {
		why = append(why, fmt.Sprintf("the generator could not keep up: 1 %% of its actions came more than %.0f ms late, while 99 %% of the answers took under %.0f ms; use more cores or generators, or less load", 1e3*lag, 1e3*measured))
	}
	if r.Unsent > 0 && !r.Interrupted {
		why = append(why, fmt.Sprintf("%d of %d arrivals that were due were never sent", r.Unsent, r.Due))
	}
	if r.Crowded > 0 {
		why = append(why, fmt.Sprintf("%d arrivals found all shoppers waiting for answers and had to wait, too; allow more users", r.Crowded))
	}
	for _, name := range r.Lost {
		why = append(why, fmt.Sprintf("generator %s was lost; what it did is not in here", name))
	}
	return why
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
// Package loadsim/report makes pages and pictures of a report.
func (r *Report) WriteFiles(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("loadsim: make report folder: %w", err)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("loadsim: encode report: %w", err)
	}
	if err := ReplaceFile(filepath.Join(dir, "report.json"), append(data, '\n')); err != nil {
		return err
	}
	return ReplaceFile(filepath.Join(dir, "report.txt"), []byte(r.text()))
}

// ReplaceFile writes a file so that it is complete or, when that fails, as it was.
func ReplaceFile(path string, data []byte) error {
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

// ErrReport says that something is not a report.
var ErrReport = errors.New("loadsim: not a report")

// ReadReport reads a report.json, or the one in a folder.
func ReadReport(path string) (*Report, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "report.json")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReport, err)
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrReport, path, err)
	}
	if r.ResponseTimes == nil || r.Summary.Scenario == "" {
		return nil, fmt.Errorf("%w: %s has no summary and response_times", ErrReport, path)
	}
	return &r, nil
}
