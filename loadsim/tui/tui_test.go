package tui

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"go.uber.org/goleak"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/internal/buckets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func snapshot() loadsim.Snapshot {
	var c buckets.Counts
	for range 2000 {
		c.Add(20 * time.Millisecond)
	}
	step := loadsim.StepPoint{Errors: 3, Times: c.Sparse()}
	return loadsim.Snapshot{
		Target: "http://shop", Scenario: "journey", Model: "open", Elapsed: 15 * time.Second, Duration: time.Minute, Users: 12, Level: 1234,
		Requests: 2000, Errors: 3, Orders: 7, Kinds: map[string]int64{"timeout": 1, "http_503": 2}, Steps: map[string]loadsim.StepPoint{"browse": step},
		Last: loadsim.Point{Seconds: 1, Requests: 1500, P95: 0.02, Steps: map[string]loadsim.StepPoint{"browse": step}},
	}
}

var colours = regexp.MustCompile("\x1b\\[[0-9]*m")

func TestPicture(t *testing.T) {
	t.Parallel()
	s := snapshot()
	got := colours.ReplaceAllString(picture(s, []float64{0, 750, 1500}), "")
	want := `journey on http://shop
████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  0:15 of 1:00

now             1,500/s  ▁▄█
intended        1,234/s  12 shoppers at work
so far          2,000    99.8500 % good, 3 bad, 7 orders

step         requests       now       p50       p95       p99      bad
browse          2,000   2,000/s     20 ms     20 ms     20 ms        3

bad answers: http_503 2, timeout 1
generator late by 0.00 ms (p99)
q ends the run early; the report is of what was done until then
`
	if got != want {
		t.Errorf("%s", got)
	}
	s.Model, s.Lag, s.Places, s.Kinds = "closed", 0.05, 9, nil
	got = colours.ReplaceAllString(picture(s, nil), "")
	for _, words := range []string{"shoppers           12", "waiting room: 9 answers", "generator late by 50 ms (p99): the figures may be its own"} {
		if !strings.Contains(got, words) {
			t.Errorf("no %q in\n%s", words, got)
		}
	}
	for line := range strings.Lines(got) {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	picture(loadsim.Snapshot{}, nil) // nothing has happened yet
}

func TestLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	show := Lines(&b, 5*time.Second)
	s := snapshot()
	for i := range 12 {
		s.Elapsed = time.Duration(i+1)*time.Second + 3*time.Millisecond
		show(s)
	}
	if n := strings.Count(b.String(), "\n"); n != 3 {
		t.Errorf("%d lines in twelve seconds:\n%s", n, b.String())
	}
	s.Places, s.Lag = 4, 0.02
	if got, want := Line(s), "  12 s  2000 requests, 3 bad, 7 orders, 4 told to wait; now 1500/s, p95 20 ms, 12 shoppers; generator late by 20 ms"; got != want {
		t.Errorf("%s", got)
	}
}

// screen is a terminal that only remembers.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.b.Write(p) }
func (s *screen) String() string              { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

func TestDisplay(t *testing.T) {
	t.Parallel()
	var out screen
	var ended atomic.Int64
	d := start(&out, nil, func() { ended.Add(1) }, tea.WithWindowSize(80, 30))
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(out.String(), "bad answers:") && time.Now().Before(deadline) {
		d.Show(snapshot())
		time.Sleep(5 * time.Millisecond) // the terminal is drawn ten times a second; there is nothing to wait on
	}
	if !strings.Contains(out.String(), "browse") {
		t.Errorf("%q", out.String())
	}
	for range 2 {
		d.program.Send(tea.KeyPressMsg{Code: 'q', Text: "q"})
	}
	for ended.Load() == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	d.Stop()
	d.Stop()
	d.Show(snapshot())
	if ended.Load() != 1 {
		t.Errorf("ended %d times", ended.Load())
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprintln(clock(59*time.Second), clock(61*time.Second), clock(2*time.Hour+3*time.Second)); got != "0:59 1:01 2:00:03\n" {
		t.Error(got)
	}
}
