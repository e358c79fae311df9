package limit

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Mode says how hard the limits are.
type Mode string

// Modes. The zero value of Options means ModeOn.
const (
	ModeOff    Mode = "off"    // nobody is limited
	ModeOn     Mode = "on"     // clients on loopback are limited by session alone, so that load can be generated there
	ModeStrict Mode = "strict" // everybody is limited, at a twenty-fifth of the rates
)

// ParseMode reads a mode as it is written on a command line.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case ModeOff, ModeOn, ModeStrict:
		return m, nil
	}
	return "", fmt.Errorf("limit: mode %q: it must be off, on or strict", s)
}

// Rate allows Requests in Per, and Burst at once. The zero value allows everything.
type Rate struct {
	Requests int
	Per      time.Duration // default a second
	Burst    int           // default Requests
}

// Names of the default classes.
const (
	ClassReads  = "reads"
	ClassWrites = "writes"
)

// Class is a group of requests that share buckets.
type Class struct {
	// Name shows in headers and metrics: letters, digits, hyphens.
	Name string
	// Match tells what belongs to it. A request belongs to the first class that matches; nil matches everything.
	Match func(*http.Request) bool
	// Address limits each client address (IPv6: each /64 network); Session each session.
	Address, Session Rate
}

// Options configure a [Limiter]; the zero value limits reads and writes to the default rates.
type Options struct {
	Mode Mode // default ModeOn
	// Classes in the order in which they are tried; what matches none is not limited. Default: reads (GET, HEAD,
	// OPTIONS), 1000 a second and address, 2000 at once; writes (the rest), 300 a second and address, 600 at once,
	// and 500 a second and session, 1500 at once, which only counts on loopback.
	Classes []Class
	// TrustedProxies are the networks whose X-Forwarded-For or Forwarded is believed. Default none.
	TrustedProxies []netip.Prefix
	// Session names the session of a request, "" if it has none. It is hashed, not kept. The edge need not verify it:
	// who invents sessions is still limited by address. Default the value of the cookie "sid".
	Session func(*http.Request) string
	// MaxClients bounds the table of clients; it takes 17 bytes for each. Default 131,072, rounded up to a power of
	// two.
	MaxClients int
	// NoHeaders leaves RateLimit and RateLimit-Policy out of answers that are not refusals.
	NoHeaders bool
	// Refuse answers a request that is one too many (429) in words of its own, such as a page, and tells whether it did; retryAfter is
	// in whole seconds. If not, and when it is nil, the answer is a problem (RFC 9457).
	Refuse func(w http.ResponseWriter, r *http.Request, retryAfter int) bool

	// Registerer receives the metrics; nil means no metrics.
	Registerer prometheus.Registerer
	// Log receives a line when a client begins to be refused, at most one a second; nil means nothing is logged.
	Log *slog.Logger
}

// strictFactor divides the rates of ModeStrict.
const strictFactor = 25

func (o Options) withDefaults() (Options, error) {
	if o.Mode == "" {
		o.Mode = ModeOn
	}
	if _, err := ParseMode(string(o.Mode)); err != nil {
		return o, err
	}
	if o.Classes == nil {
		o.Classes = defaultClasses()
	}
	if o.Session == nil {
		o.Session = sidCookie
	}
	if o.MaxClients == 0 {
		o.MaxClients = 1 << 17
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxClients < 0 || o.MaxClients > 1<<28 {
		return o, fmt.Errorf("limit: MaxClients is %d: it must be between 1 and %d", o.MaxClients, 1<<28)
	}
	return o, checkClasses(o.Classes)
}

func checkClasses(classes []Class) error {
	seen := map[string]bool{}
	for _, c := range classes {
		if !sane(c.Name) {
			return fmt.Errorf("limit: class name %q: letters, digits and hyphens are allowed", c.Name)
		}
		if seen[c.Name] {
			return fmt.Errorf("limit: class %q is there twice", c.Name)
		}
		seen[c.Name] = true
		for _, r := range [...]Rate{c.Address, c.Session} {
			if r.Requests < 0 || r.Burst < 0 || r.Per < 0 || r.Requests == 0 && (r.Burst > 0 || r.Per > 0) {
				return fmt.Errorf("limit: class %q: %+v is no rate", c.Name, r)
			}
		}
	}
	if len(classes) == 0 {
		return errors.New("limit: Classes is empty: use ModeOff to limit nothing")
	}
	return nil
}

func sane(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != ""
}

func defaultClasses() []Class {
	return []Class{
		{Name: ClassReads, Match: Reads, Address: Rate{Requests: 1000, Burst: 2000}},
		{Name: ClassWrites, Address: Rate{Requests: 300, Burst: 600}, Session: Rate{Requests: 500, Burst: 1500}},
	}
}

// Reads matches GET, HEAD and OPTIONS.
func Reads(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}

// sidCookie finds the value of the cookie "sid" without taking the header apart.
func sidCookie(r *http.Request) string {
	for _, h := range r.Header["Cookie"] {
		if v, ok := cookie(h, "sid"); ok {
			return v
		}
	}
	return ""
}
