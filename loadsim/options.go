package loadsim

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/loadsim/scenario"
)

// Why a run did not begin; the error that wraps one of these says what to do.
var (
	ErrOptions        = errors.New("loadsim: wrong options")
	ErrUnreachable    = errors.New("loadsim: the target cannot be reached")
	ErrNotShop        = errors.New("loadsim: the target is not a shop")
	ErrEmptyCatalogue = errors.New("loadsim: the shop has no products")
)

// Options say what to run. Only Target is required; zero means the default. What is given here goes before what the
// scenario says.
type Options struct {
	// Target is the shop's base URL, http or https.
	Target string
	// Scenario is what shoppers do and in which numbers they come. Default the ready one called journey.
	Scenario *scenario.Scenario
	// Users makes the model closed, with so many shoppers at once.
	Users int
	// Rate makes the model open, with so many arrivals a second.
	Rate float64
	// Profile is the course of the load, one of [scenario.Profiles]; with it the scenario's own stages do not count.
	Profile string
	// Duration is how long new requests are started. Stages are stretched or shortened to it.
	Duration time.Duration
	// Seed makes the shoppers' choices and Poisson arrivals repeatable. 0 is a seed like any other.
	Seed uint64
	// Think is the mean pause of a shopper before each request, spread evenly from half to one and a half of it.
	Think time.Duration
	// GoodWithin is how long a correct answer may take and still be good. Default the scenario's, and that is 2 s.
	GoodWithin time.Duration
	// Timeout bounds one request, replay included. Default 10 s.
	Timeout time.Duration
	// OwnConnections gives each shopper a connection of its own, new for each session, as browsers have. By default
	// shoppers share connections, and as many are open as requests are on their way.
	OwnConnections bool
	// MaxUsers bounds the shoppers that an open model makes. When all of them wait for answers, arrivals wait, too, and
	// the report says that it is not valid. Default 20,000.
	MaxUsers int
	// Part of Parts: several generators that share one load each play their part of it. Parts 0 is 1.
	Part, Parts int
	// Transport sends the requests instead of the simulator's own HTTP/1.1 client, which costs a third of net/http's.
	Transport http.RoundTripper
	// Progress is called about once a second from one goroutine while the run lasts. nil means not at all.
	Progress func(Snapshot)

	enough func() bool // ends the load early; tests wait for what they are about instead of for a time
	timers bool        // arrivals wait by the runtime's timers, which a test's clock can move, and not by the kernel's
}

func (o Options) withDefaults() Options {
	def(&o.Timeout, 10*time.Second)
	def(&o.MaxUsers, 20_000)
	def(&o.Parts, 1)
	o.Target = strings.TrimRight(o.Target, "/")
	return o
}

func (o Options) check() error {
	u, err := url.Parse(o.Target)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%w: target %q must be a URL like http://localhost:8000", ErrOptions, o.Target)
	case o.Users != 0 && o.Rate != 0:
		return fmt.Errorf("%w: users make a closed model, a rate an open one; give one of them", ErrOptions)
	case o.Users < 0 || o.Users > scenario.MaxUsers:
		return fmt.Errorf("%w: users is %d, it must be 1 to %d", ErrOptions, o.Users, scenario.MaxUsers)
	case !(o.Rate >= 0 && o.Rate <= scenario.MaxRate):
		return fmt.Errorf("%w: rate is %v, it must be above 0, at most %d a second", ErrOptions, o.Rate, scenario.MaxRate)
	case o.Duration < 0 || o.Think < 0 || o.GoodWithin < 0 || o.Timeout < 0:
		return fmt.Errorf("%w: durations must not be negative", ErrOptions)
	case o.MaxUsers < 1 || o.MaxUsers > scenario.MaxUsers:
		return fmt.Errorf("%w: max users is %d, it must be 1 to %d", ErrOptions, o.MaxUsers, scenario.MaxUsers)
	case o.Parts < 1 || o.Part < 0 || o.Part >= o.Parts:
		return fmt.Errorf("%w: part %d of %d", ErrOptions, o.Part, o.Parts)
	}
	return nil
}

// plan is the scenario as it will be played, with what the options say instead.
func (o Options) plan() (scenario.Scenario, error) {
	var s scenario.Scenario
	var err error
	if o.Scenario == nil {
		if s, err = scenario.Ready("journey"); err != nil {
			return s, err
		}
	} else {
		s = o.Scenario.WithDefaults()
	}
	if o.Users > 0 {
		s.Load.Model, s.Load.Users = scenario.Closed, o.Users
	}
	if o.Rate > 0 {
		s.Load.Model, s.Load.Rate = scenario.Open, o.Rate
	}
	if o.Duration > 0 {
		s.Load.Duration = o.Duration
	}
	if o.Profile != "" {
		if s.Load, err = s.Load.Follow(o.Profile, o.Duration); err != nil {
			return s, fmt.Errorf("%w: %w", ErrOptions, err)
		}
	}
	if o.Think > 0 {
		s.Think = scenario.Span{Min: o.Think / 2, Max: o.Think + o.Think/2}
	}
	if o.GoodWithin > 0 {
		s.GoodWithin = o.GoodWithin
	}
	if err := s.Check(); err != nil {
		return s, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return s, nil
}

// def sets *v to d when it is the zero value.
func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
