package scenario

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Bounds of a scenario.
const (
	MaxUsers    = 1_000_000
	MaxRate     = 10_000_000
	MaxDuration = 30 * 24 * time.Hour
)

// Check says what is wrong with a scenario whose defaults are filled in, naming the field and what is allowed.
func (s Scenario) Check() error {
	if err := s.Load.check(); err != nil {
		return fmt.Errorf("%w: load.%w", ErrScenario, err)
	}
	if err := s.Think.check(); err != nil {
		return fmt.Errorf("%w: think: %w", ErrScenario, err)
	}
	if s.GoodWithin < 0 || s.Patience < 0 || s.Doors < 0 || s.Retry.Longest < 0 {
		return fmt.Errorf("%w: good_within, patience, doors and retry.longest must not be negative", ErrScenario)
	}
	if s.Retry.Times < 0 || s.Retry.Times > 100 {
		return fmt.Errorf("%w: retry.times is %d, it must be 0 to 100", ErrScenario, s.Retry.Times)
	}
	p := s.Popularity
	if z := p.Skew(); !(z >= 0 && z <= 5) || p.Products < 1 || p.Products > 1_000_000 || p.Hot > 1 || p.Product < 0 {
		return fmt.Errorf("%w: popularity: zipf is 0 to 5, products 1 to a million, hot a share up to 1, product an id", ErrScenario)
	}
	return s.checkShoppers()
}

func (s Scenario) checkShoppers() error {
	if len(s.Shoppers) == 0 || len(s.Shoppers) > 100 {
		return fmt.Errorf("%w: shoppers: there must be 1 to 100 kinds, there are %d", ErrScenario, len(s.Shoppers))
	}
	for i, k := range s.Shoppers {
		if !(k.Weight >= 0) || math.IsInf(k.Weight, 0) {
			return fmt.Errorf("%w: shoppers[%d].weight is %v, it must not be negative", ErrScenario, i, k.Weight)
		}
		for _, c := range k.Agent {
			if c < ' ' || c > '~' {
				return fmt.Errorf("%w: shoppers[%d].agent must be of printable ASCII characters", ErrScenario, i)
			}
		}
		asks := false
		for j, step := range k.Steps {
			if err := step.check(); err != nil {
				return fmt.Errorf("%w: shoppers[%d].steps[%d]: %w", ErrScenario, i, j, err)
			}
			asks = asks || step.Do != Pause && step.Do != Leave && step.Do != Wait && !(step.Do == Add && step.Of != OfHot) && step.Do != Checkout
		}
		if !asks {
			return fmt.Errorf("%w: shoppers[%d].steps: none of them is sure to ask the shop for anything", ErrScenario, i)
		}
	}
	return nil
}

func (l Load) check() error {
	switch {
	case l.Model != Open && l.Model != Closed:
		return fmt.Errorf("model is %q; it is open or closed", l.Model)
	case l.Per != PerRequest && l.Per != PerSession:
		return fmt.Errorf("per is %q; it is request or session", l.Per)
	case l.Arrivals != Poisson && l.Arrivals != Even:
		return fmt.Errorf("arrivals is %q; it is poisson or even", l.Arrivals)
	case !(l.Rate > 0 && l.Rate <= MaxRate):
		return fmt.Errorf("rate is %v; it must be above 0, at most %d a second", l.Rate, MaxRate)
	case l.Users < 1 || l.Users > MaxUsers:
		return fmt.Errorf("users is %d; it must be 1 to %d", l.Users, MaxUsers)
	case l.Duration < 0 || l.Duration > MaxDuration:
		return fmt.Errorf("duration is %v; it must be above 0, at most %v", l.Duration, MaxDuration)
	}
	for i, s := range l.Stages {
		levels := slices.DeleteFunc([]*float64{s.At, s.From, s.To}, func(v *float64) bool { return v == nil })
		if len(levels) == 0 || s.At != nil && len(levels) > 1 || s.To == nil && s.From != nil {
			return fmt.Errorf("stages[%d]: give a level with at, or a ramp with to and perhaps from", i)
		}
		for _, v := range levels {
			if !(*v >= 0 && *v <= 1e6) {
				return fmt.Errorf("stages[%d]: a level is %v; levels are multiples from 0 to a million", i, *v)
			}
		}
		if s.For <= 0 || s.For > MaxDuration {
			return fmt.Errorf("stages[%d]: for is %v; it must be above 0, at most %v", i, s.For, MaxDuration)
		}
	}
	return l.checkPeak()
}

func (l Load) checkPeak() error {
	c := l.Curve()
	switch {
	case c.Length() > MaxDuration:
		return fmt.Errorf("stages last %v; at most %v", c.Length(), MaxDuration)
	case l.Model == Open && c.Peak() > MaxRate:
		return fmt.Errorf("stages: the peak is %.0f a second; at most %d", c.Peak(), MaxRate)
	case l.Model == Closed && c.Peak() > MaxUsers:
		return fmt.Errorf("stages: the peak is %.0f users; at most %d", c.Peak(), MaxUsers)
	case c.Area() == 0:
		return fmt.Errorf("stages: all levels are 0, so nobody comes")
	}
	return nil
}
