package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Profiles are courses of load that fit any scenario; see [Load.Follow].
var Profiles = []string{"steady", "ramp", "spike", "steps", "soak"}

// Follow replaces the course of a load: steady is one level, ramp goes evenly up to it, spike goes to a hundred times the
// level within ten seconds and back, steps are five equal ones up to it, soak is one level for an hour with a minute of
// ramp before. An own duration stretches it.
func (l Load) Follow(profile string, d time.Duration) (Load, error) {
	l.Duration = d
	switch profile {
	case "steady":
		l.Stages = nil
		def(&l.Duration, 30*time.Second)
	case "ramp":
		l.Stages = []Stage{ramp(60*time.Second, 0, 1)}
	case "spike":
		l.Stages = []Stage{level(20*time.Second, 1), ramp(10*time.Second, 1, 100), level(10*time.Second, 100), ramp(10*time.Second, 100, 1), level(20*time.Second, 1)}
	case "steps":
		l.Stages = nil
		for i := range 5 {
			l.Stages = append(l.Stages, level(20*time.Second, float64(i+1)/5))
		}
	case "soak":
		l.Stages = []Stage{ramp(time.Minute, 0, 1), level(time.Hour, 1)}
	default:
		return l, fmt.Errorf("%w: profile %q is unknown; there are %s", ErrScenario, profile, strings.Join(Profiles, ", "))
	}
	return l, nil
}

func level(d time.Duration, at float64) Stage { return Stage{For: d, At: &at} }

func ramp(d time.Duration, from, to float64) Stage { return Stage{For: d, From: &from, To: &to} }

// NeedsCatalogue says whether any step needs to know products.
func (s Scenario) NeedsCatalogue() bool {
	return slices.ContainsFunc(s.Shoppers, func(k Shopper) bool { return slices.ContainsFunc(k.Steps, Step.NeedsCatalogue) })
}
