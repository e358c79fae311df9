package prove

import (
	"context"
	"fmt"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

var availability = Criterion{
	Number: 6, ID: "availability", Name: "Good answers while things break",
	Target:  "≥ 99.99 %",
	Measure: measureAvailability,
}

// Struck is a fault that was injected.
type Struck struct {
	Name  string  `json:"name"`
	After float64 `json:"recovered_after_s"`
	Error string  `json:"error,omitempty"` // why it could not be injected, or is not over
}

// shaking is a run with faults.
type shaking struct {
	Load
	struck []Struck
	kinds  map[string]string
}

const (
	recovery   = 30 * time.Second // a platform that takes longer to be whole again has not recovered
	longest    = 10 * time.Minute
	shakeRate  = 100.0 // sessions that begin in a second
	perShake   = 100   // requests/s that the browse mix must reach for each of them
	enoughSeen = 10_000
)

// shake injects one fault after another under load. Each is given time to be felt, and has to be over before the next.
func (t *trial) shake(ctx context.Context) (shaking, error) {
	return t.shaken.get(func() (s shaking, err error) {
		faults, err := t.platform.Faults(ctx)
		if err != nil {
			return s, err
		}
		b, err := t.browse(ctx)
		if err != nil {
			return s, err
		}
		loading, stop := context.WithCancel(ctx)
		defer stop()
		done := make(chan error, 1)
		var r *loadsim.Report
		go func() {
			load := scenario.Load{Model: scenario.Open, Per: scenario.PerSession, Rate: max(t.o.least, min(shakeRate, b.Capacity/perShake)), Duration: longest}
			var err error
			r, err = t.play(loading, "faults", load, do(scenario.Browse, 6, ""), do(scenario.View, 4, ""),
				scenario.Step{Do: scenario.Leave, Chance: 0.5}, do(scenario.Add, 1, scenario.OfHot), do(scenario.Checkout, 1, ""))
			done <- err
		}()
		err = t.strike(ctx, faults, &s)
		stop()
		if ended := <-done; r == nil {
			return s, ended
		}
		if err != nil {
			return s, err
		}
		s.Load, s.kinds = loadOf(r), kinds(r)
		t.report.Faults = s.struck
		return s, nil
	})
}

// strike injects the faults.
func (t *trial) strike(ctx context.Context, faults []Fault, s *shaking) error {
	if err := pause(ctx, t.pace.slot/2); err != nil {
		return err
	}
	for _, f := range faults {
		t.say("  fault: %s", f.Name)
		begun := time.Now()
		err := f.Inject(ctx)
		if err == nil {
			err = await(ctx, recovery, func() error { return f.Recovered(ctx) })
		}
		struck := Struck{Name: f.Name, After: time.Since(begun).Seconds()}
		if err != nil {
			struck.Error = err.Error()
		}
		s.struck = append(s.struck, struck)
		if err := pause(ctx, t.pace.slot-time.Since(begun)); err != nil {
			return err
		}
	}
	return pause(ctx, t.pace.slot/2)
}

// pause is time during which load is measured.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

func measureAvailability(ctx context.Context, t *trial) (Finding, error) {
	s, err := t.shake(ctx)
	if err != nil {
		return Finding{}, err
	}
	bad := s.Requests - int64(float64(s.Requests)*s.Good+0.5)
	f := Finding{
		Measured: fmt.Sprintf("%s: %d of %s answered badly", percent(s.Good), bad, thousands(float64(s.Requests))), Value: s.Good, Unit: "share",
		How: fmt.Sprintf("%.0f s of browsing, carts and checkouts (%s requests/s, %d orders) while %d faults were injected one after another; good is the correct answer within 2 s",
			s.Seconds, thousands(s.Rate), s.Orders, len(s.struck)),
		Limits: "requests that are under way in a process when it is killed",
		Holds:  s.Good >= targetGood && s.Orders > 0 && len(s.struck) > 0,
	}
	for _, one := range s.struck {
		if one.Error != "" {
			f.Holds = false
			f.Details = append(f.Details, one.Name+": "+one.Error)
			continue
		}
		f.Details = append(f.Details, fmt.Sprintf("%s: whole again after %.1f s", one.Name, one.After))
	}
	for kind, text := range s.kinds {
		f.Details = append(f.Details, "bad: "+kind+" "+text)
	}
	if s.Places > 0 {
		f.Details = append(f.Details, fmt.Sprintf("%s answers were places in the waiting room, which count as neither", thousands(float64(s.Places))))
	}
	if s.Requests < enoughSeen {
		f.Details = append(f.Details, fmt.Sprintf("%s requests are too few to tell 99.99 %%: a single bad one would fail it", thousands(float64(s.Requests))))
	}
	return f, nil
}
