package scenario

import (
	"slices"
	"time"

	"github.com/stampede-shop/stampede/loadsim/internal/schedule"
)

// Models of load.
const (
	Closed = "closed" // so many shoppers at once; when the shop gets slower it is asked less
	Open   = "open"   // arrivals come as scheduled, however the shop does
)

// What the rate of an open model counts.
const (
	PerRequest = "request"
	PerSession = "session"
)

// How arrivals of an open model follow each other.
const (
	Poisson = "poisson" // people who know nothing of each other
	Even    = "even"
)

// Scenario is what shoppers do and in which numbers they come.
type Scenario struct {
	Name       string        `yaml:"name" json:"name"`
	About      string        `yaml:"about" json:"about,omitempty"`
	Load       Load          `yaml:"load" json:"load"`
	Popularity Popularity    `yaml:"popularity" json:"popularity"`
	Think      Span          `yaml:"think" json:"think"`
	GoodWithin time.Duration `yaml:"good_within" json:"good_within"` // default 2 s
	Patience   time.Duration `yaml:"patience" json:"patience"`       // 0: endless
	Retry      Retry         `yaml:"retry" json:"retry"`
	Doors      time.Duration `yaml:"doors" json:"doors"`
	Shoppers   []Shopper     `yaml:"shoppers" json:"shoppers"`
}

// Load is the numbers in which shoppers come.
type Load struct {
	Model    string        `yaml:"model" json:"model"`       // default closed
	Per      string        `yaml:"per" json:"per"`           // default request
	Arrivals string        `yaml:"arrivals" json:"arrivals"` // default poisson
	Rate     float64       `yaml:"rate" json:"rate"`         // default 100
	Users    int           `yaml:"users" json:"users"`       // default 50
	Duration time.Duration `yaml:"duration" json:"duration"` // default 30 s; with stages, they are stretched to it
	Stages   []Stage       `yaml:"stages" json:"stages"`     // default one of level 1
}

// Stage is a stretch of time: at one level, or evenly from one to another. Levels are multiples of Rate or Users.
type Stage struct {
	For  time.Duration `yaml:"for" json:"for"`
	At   *float64      `yaml:"at" json:"at,omitempty"`
	From *float64      `yaml:"from" json:"from,omitempty"` // default where the stage before ended
	To   *float64      `yaml:"to" json:"to,omitempty"`
}

// Popularity is how unequally products are wanted.
type Popularity struct {
	Zipf     *float64 `yaml:"zipf" json:"zipf,omitempty"`         // default 1
	Products int      `yaml:"products" json:"products,omitempty"` // default 1000
	Hot      Share    `yaml:"hot" json:"hot,omitempty"`
	Product  int64    `yaml:"product" json:"product,omitempty"`
}

// Skew is the exponent of the Zipf law.
func (p Popularity) Skew() float64 {
	if p.Zipf == nil {
		return 1
	}
	return *p.Zipf
}

// Retry is what a shopper does about an answer that says to come back: 429 and 503. Retry-After is honoured; without one
// the shopper waits a second, then twice as long.
type Retry struct {
	Times   int           `yaml:"times" json:"times"`     // of one request; default none
	Longest time.Duration `yaml:"longest" json:"longest"` // who is told to wait longer leaves; default 10 s
}

// Shopper is a kind of shopper.
type Shopper struct {
	Kind    string  `yaml:"kind" json:"kind"`
	Weight  float64 `yaml:"weight" json:"weight"` // among the others; default 1
	Agent   string  `yaml:"agent" json:"agent,omitempty"`
	Cookies *bool   `yaml:"cookies" json:"cookies,omitempty"` // default true
	Steps   []Step  `yaml:"steps" json:"steps"`
}

// Forgets says whether this kind keeps no cookies.
func (s Shopper) Forgets() bool { return s.Cookies != nil && !*s.Cookies }

// Curve is the load over time, in arrivals a second or shoppers at once.
func (l Load) Curve() schedule.Curve {
	level := l.Rate
	if l.Model != Open {
		level = float64(l.Users)
	}
	if len(l.Stages) == 0 {
		return schedule.Flat(level, l.Duration)
	}
	var stages []schedule.Stage
	at := 0.0
	for _, s := range l.Stages {
		from := at
		if s.At != nil {
			from, at = *s.At, *s.At
		}
		if s.From != nil {
			from = *s.From
		}
		if s.To != nil {
			at = *s.To
		}
		stages = append(stages, schedule.Stage{For: s.For, From: from, To: at})
	}
	curve := schedule.New(stages)
	stretch := 1.0
	if l.Duration > 0 && curve.Length() > 0 {
		stretch = float64(l.Duration) / float64(curve.Length())
	}
	return curve.Scale(level, stretch)
}

// stretch is by how much Duration makes the stages longer.
func (l Load) stretch() float64 {
	var sum time.Duration
	for _, s := range l.Stages {
		sum += s.For
	}
	if l.Duration == 0 || sum == 0 {
		return 1
	}
	return float64(l.Duration) / float64(sum)
}

// DoorsOpen is when the doors open, with stages stretched to the duration.
func (s Scenario) DoorsOpen() time.Duration {
	return time.Duration(float64(s.Doors) * s.Load.stretch())
}

// WithDefaults fills in what was left out.
func (s Scenario) WithDefaults() Scenario {
	def(&s.Load.Model, Closed)
	def(&s.Load.Per, PerRequest)
	def(&s.Load.Arrivals, Poisson)
	def(&s.Load.Rate, 100)
	def(&s.Load.Users, 50)
	if len(s.Load.Stages) == 0 {
		def(&s.Load.Duration, 30*time.Second)
	}
	def(&s.Popularity.Products, 1000)
	def(&s.GoodWithin, 2*time.Second)
	def(&s.Retry.Longest, 10*time.Second)
	s.Shoppers = slices.Clone(s.Shoppers)
	for i := range s.Shoppers {
		def(&s.Shoppers[i].Weight, 1)
		def(&s.Shoppers[i].Kind, "shopper")
	}
	return s
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
