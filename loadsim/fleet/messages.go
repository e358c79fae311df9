package fleet

import (
	"errors"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

// What can go wrong with a fleet; the error that wraps one of these says what to do.
var (
	ErrTooFew  = errors.New("fleet: not enough agents")
	ErrAgent   = errors.New("fleet: an agent cannot do it")
	ErrOptions = errors.New("fleet: wrong options")
)

// Silence is how long nothing may be heard of somebody before they count as lost.
const Silence = 10 * time.Second

// silence is Silence, except in tests, which do not want to wait for so long.
var silence = Silence

const (
	beat    = time.Second            // how often everybody says that they are there
	leadIn  = 300 * time.Millisecond // from the message to begin until beginning
	prepare = time.Minute            // how long preparing may take
)

// subjects of a fleet's messages.
type subjects struct{ name, run string }

func (s subjects) call() string           { return "loadsim." + s.name + ".call" }
func (s subjects) agent(id string) string { return "loadsim." + s.name + ".agent." + id }
func (s subjects) of(what string) string  { return "loadsim." + s.name + ".run." + s.run + "." + what }

// checkName: names become parts of subjects.
func checkName(name string) error {
	if name == "" || strings.ContainsAny(name, ". *>\t\r\n") {
		return errors.New("a name must be one word without dots, * and >")
	}
	return nil
}

// hello is an agent's answer to a call.
type hello struct {
	ID string `json:"id"`
}

// order is what an agent is to do.
type order struct {
	Run            string             `json:"run"`
	Target         string             `json:"target"`
	Scenario       *scenario.Scenario `json:"scenario"`
	Users          int                `json:"users"`
	Rate           float64            `json:"rate"`
	Profile        string             `json:"profile"`
	Duration       time.Duration      `json:"duration"`
	Seed           uint64             `json:"seed"`
	Think          time.Duration      `json:"think"`
	GoodWithin     time.Duration      `json:"good_within"`
	Timeout        time.Duration      `json:"timeout"`
	OwnConnections bool               `json:"own_connections"`
	MaxUsers       int                `json:"max_users"`
	Part           int                `json:"part"`
	Parts          int                `json:"parts"`
}

// orderOf is a part of a load.
func orderOf(run string, o loadsim.Options, part, parts int) order {
	return order{
		run, o.Target, o.Scenario, o.Users, o.Rate, o.Profile, o.Duration, o.Seed, o.Think, o.GoodWithin, o.Timeout,
		o.OwnConnections, (o.MaxUsers + parts - 1) / parts, part, parts,
	}
}

func (o order) options() loadsim.Options {
	return loadsim.Options{
		Target: o.Target, Scenario: o.Scenario, Users: o.Users, Rate: o.Rate, Profile: o.Profile, Duration: o.Duration, Seed: o.Seed,
		Think: o.Think, GoodWithin: o.GoodWithin, Timeout: o.Timeout, OwnConnections: o.OwnConnections, MaxUsers: o.MaxUsers,
		Part: o.Part, Parts: o.Parts,
	}
}

// ready is the answer to an order; Error says why not.
type ready struct {
	Error string `json:"error,omitempty"`
}

// progress is how an agent stands. Done: its recording follows.
type progress struct {
	ID       string           `json:"id"`
	Snapshot loadsim.Snapshot `json:"snapshot"`
}

// piece of a recording, which is JSON under gzip, longer than a message may be.
type piece struct {
	ID   string `json:"id"`
	N    int    `json:"n"`  // which one, from 0
	Of   int    `json:"of"` // how many there are
	Data []byte `json:"data"`
}
