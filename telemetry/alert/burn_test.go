package alert

import (
	"testing"
	"time"
)

// How long it takes until the two rules of the workbook see a share of errors, at 100 requests a second. The workbook's figures
// for an objective of 99.9 %: everything failing is seen within seconds, 0.1 % never is.
func TestBurnRates(t *testing.T) {
	t.Parallel()
	fast := Burn{Good: "good", Weight: "rps", Objective: 0.999, Rate: 14.4, Long: time.Hour, Short: 5 * time.Minute, MinEvents: 100}
	slow := fast
	slow.Rate, slow.Long, slow.Short = 6, 6*time.Hour, 30*time.Minute
	for _, c := range []struct {
		name       string
		burn       Burn
		errors     float64
		least, end time.Duration // until it fires; 0: never
	}{
		{"everything fails", fast, 1, 20 * time.Second, 75 * time.Second},
		{"10 % fail", fast, 0.1, 8 * time.Minute, 9 * time.Minute},
		{"2 % fail", fast, 0.02, 42 * time.Minute, 45 * time.Minute},
		{"1 % fails", fast, 0.01, 0, 0},
		{"1 % fails, slowly", slow, 0.01, 3*time.Hour + 30*time.Minute, 3*time.Hour + 40*time.Minute},
		{"0.5 % fail, slowly", slow, 0.005, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := engine(t, Options{Rules: []Rule{{Name: "burn", Severity: Page, When: c.burn}}})
			const step = 5
			second := 0
			good := func(share float64, d time.Duration) (fired time.Duration) {
				for range int(d.Seconds()) / step {
					second += step
					e.Observe(at(second), map[string]float64{"good": share, "rps": 100})
					if stateOf(e, "burn") == Firing && fired == 0 {
						fired = time.Duration(second)*time.Second - 7*time.Hour
					}
				}
				return fired
			}
			if good(1, 7*time.Hour) != 0 {
				t.Fatal("fires without an error")
			}
			fired := good(1-c.errors, 8*time.Hour)
			if (fired == 0) != (c.end == 0) || fired < c.least || fired > c.end {
				t.Fatalf("fired after %v, want %v to %v", fired, c.least, c.end)
			}
			good(1, c.burn.Short+time.Minute)
			if stateOf(e, "burn") == Firing {
				t.Error("fires on though all is well for longer than the short window")
			}
		})
	}
}

func TestBurnNeedsEvents(t *testing.T) {
	t.Parallel()
	e := engine(t, Options{Rules: []Rule{{Name: "burn", Severity: Page, When: Defaults{Objective: .999, Scale: 1}.burn(14.4, time.Hour, 5*time.Minute)}}})
	for i := range 3600 {
		e.Observe(at(i), map[string]float64{"http.good_ratio": 0, "http.rps": 0.01}) // 36 in the hour
	}
	if len(e.History()) != 0 {
		t.Error("36 requests are enough")
	}
	for i := range 3600 {
		e.Observe(at(3600+i), map[string]float64{"http.good_ratio": 0, "http.rps": 1})
	}
	if len(e.History()) != 1 {
		t.Error("an hour of errors was not seen")
	}
}

// A minute for an hour: what demonstrations and tests use.
func TestScaledBurn(t *testing.T) {
	t.Parallel()
	e := engine(t, Options{Rules: DefaultRules(Defaults{Scale: 1.0 / 60})})
	second := 0
	feed := func(seconds int, good float64) {
		for range seconds {
			second++
			e.Observe(at(second), map[string]float64{"http.good_ratio": good, "http.rps": 500})
		}
	}
	feed(120, 1)
	feed(6, 0.5)
	if stateOf(e, "error-budget-fast") != Firing {
		t.Error("half of all requests failed for six scaled minutes")
	}
	feed(30, 1)
	if s := stateOf(e, "error-budget-fast"); s != Resolved {
		t.Errorf("%s after half a scaled hour", s)
	}
}
