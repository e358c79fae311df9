package waitroom

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Room is a queue for what goes on sale at a certain time.
type Room struct {
	// Name of lower-case letters, digits and hyphens; it is part of a cookie's name.
	Name string
	// Opens is when the first are admitted; From, when places begin to be given; Until, when nobody has to wait any more.
	Opens, From, Until time.Time
	// Stock is how much of it is left; nil when nobody can tell.
	Stock func(context.Context) (int64, error)
}

// Load is how the platform stands.
type Load struct {
	Exceeds bool // more is asked for than it can do: what opens the room of the shop
	Full    bool // some of those who were let in, too, are refused: what lets in fewer
	Short   bool // what stands before it can hardly do more: what lets in fewer, but not less than most of what was sustained
	Room    bool // more of them could be served: what lets in more
}

// Options configure [Rooms].
type Options struct {
	// Keys sign places: at least 16 bytes each; the first signs, all verify.
	Keys [][]byte
	// Rooms are those that open by the clock.
	Rooms []Room
	// Shop is the name of the room for everything, which opens while demand exceeds what the platform can do; "" for none.
	Shop string
	// Load says how the platform stands; nil: it could always do more.
	Load func() Load
	// Store keeps the numbers. Default one in memory.
	Store Store
	// Session names the session of a request; if it has none one is begun, by a cookie set on w.
	Session func(w http.ResponseWriter, r *http.Request) (string, error)
	// Page answers a browser; nil answers everybody with JSON.
	Page func(w http.ResponseWriter, r *http.Request, status int, p Place)
	// Secure marks cookies so; nil: when the request came over TLS.
	Secure func(*http.Request) bool

	// TTL is how long an admitted place is good for. Default 15 minutes.
	TTL time.Duration
	// Rate is how many are admitted a second to begin with; MinRate and MaxRate bound what becomes of it. Default 50, 1 and 5000.
	Rate, MinRate, MaxRate float64
	// After is how long demand has to exceed capacity before the shop queues, Calm how long it must not before it no
	// longer does. Default 5 s and 30 s.
	After, Calm time.Duration

	// Registerer receives the metrics; nil means no metrics.
	Registerer prometheus.Registerer
	// Log receives what happens to the rooms; nil means nothing is logged.
	Log *slog.Logger
}

const minKey = 16

func (o Options) withDefaults() (Options, error) {
	def(&o.TTL, 15*time.Minute)
	def(&o.Rate, 50)
	def(&o.MinRate, 1)
	def(&o.MaxRate, 5000)
	def(&o.After, 5*time.Second)
	def(&o.Calm, 30*time.Second)
	if o.Load == nil {
		o.Load = func() Load { return Load{Room: true} }
	}
	if o.Store == nil {
		o.Store, _ = NewLocal("") // nothing is read
	}
	if o.Secure == nil {
		o.Secure = func(r *http.Request) bool { return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, o.check()
}

func (o Options) check() error {
	if len(o.Keys) == 0 || o.Session == nil {
		return errors.New("waitroom: Keys and Session are needed")
	}
	for _, k := range o.Keys {
		if len(k) < minKey {
			return fmt.Errorf("waitroom: a key has %d bytes: at least %d are needed", len(k), minKey)
		}
	}
	if !(o.MinRate > 0 && o.MinRate <= o.Rate && o.Rate <= o.MaxRate) {
		return fmt.Errorf("waitroom: MinRate %v, Rate %v and MaxRate %v: they must be positive and in that order", o.MinRate, o.Rate, o.MaxRate)
	}
	names := map[string]bool{o.Shop: true}
	if o.Shop != "" && !sane(o.Shop) {
		return fmt.Errorf("waitroom: room %q: lower-case letters, digits and hyphens are allowed", o.Shop)
	}
	for _, r := range o.Rooms {
		if !sane(r.Name) || names[r.Name] {
			return fmt.Errorf("waitroom: room %q: a name of lower-case letters, digits and hyphens is needed that no other room has", r.Name)
		}
		names[r.Name] = true
		if r.Opens.IsZero() || r.From.After(r.Opens) || !r.Until.After(r.Opens) {
			return fmt.Errorf("waitroom: room %q: From %v, Opens %v and Until %v must be in that order", r.Name, r.From, r.Opens, r.Until)
		}
	}
	return nil
}

func sane(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= 40
}

// def sets *v to d when it is the zero value.
func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
