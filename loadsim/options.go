package loadsim

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Why a run did not begin; the error that wraps one of these says what to do.
var (
	ErrOptions        = errors.New("loadsim: wrong options")
	ErrUnreachable    = errors.New("loadsim: the target cannot be reached")
	ErrNotShop        = errors.New("loadsim: the target is not a shop")
	ErrEmptyCatalogue = errors.New("loadsim: the shop has no products")
)

// Scenarios that ship.
const (
	Journey = "journey" // browse 20, view 3-8, add 1-5, check out
	Browse  = "browse"  // browse 20, view 3-8
)

// Options say what to run. Only Target is required; zero means the default.
type Options struct {
	// Target is the shop's base URL, http or https.
	Target string
	// Users is how many shoppers there are at once. Default 10.
	Users int
	// Duration is how long new requests are started. Default 30 s.
	Duration time.Duration
	// Scenario is what the shoppers do. Default [Journey].
	Scenario string
	// Seed makes the shoppers' choices repeatable. 0 is a seed like any other.
	Seed uint64
	// ThinkTime is the mean pause of a shopper before each request, spread evenly from half to one and a half of it.
	// Default none.
	ThinkTime time.Duration
	// GoodWithin is how long a correct answer may take and still be good. Default 2 s.
	GoodWithin time.Duration
	// Timeout bounds one request, replay included. Default 10 s.
	Timeout time.Duration
	// Transport sends the requests. Default one with a connection for each user.
	Transport http.RoundTripper
	// Progress is called about once a second from one goroutine while the run lasts. nil means not at all.
	Progress func(Snapshot)
}

func (o Options) withDefaults() Options {
	def(&o.Users, 10)
	def(&o.Duration, 30*time.Second)
	def(&o.Scenario, Journey)
	def(&o.GoodWithin, 2*time.Second)
	def(&o.Timeout, 10*time.Second)
	o.Target = strings.TrimRight(o.Target, "/")
	return o
}

func (o Options) check() error {
	u, err := url.Parse(o.Target)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%w: target %q must be a URL like http://localhost:8000", ErrOptions, o.Target)
	case !slices.Contains([]string{Journey, Browse}, o.Scenario):
		return fmt.Errorf("%w: scenario %q is unknown; there are %s and %s", ErrOptions, o.Scenario, Journey, Browse)
	case o.Users < 1 || o.Users > 100_000:
		return fmt.Errorf("%w: users is %d, it must be 1 to 100000", ErrOptions, o.Users)
	case o.Duration < 0 || o.ThinkTime < 0 || o.GoodWithin < 0 || o.Timeout < 0:
		return fmt.Errorf("%w: durations must not be negative", ErrOptions)
	}
	return nil
}

// def sets *v to d when it is the zero value.
func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
