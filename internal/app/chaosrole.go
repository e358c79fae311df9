package app

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/internal/app/chaoslab"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/shop"
)

// chaosRole is what a process does to itself while it is told to; nil does nothing.
type chaosRole struct {
	name  string
	rules atomic.Pointer[[]chaoslab.Rule] // those for this process
	clock atomic.Int64                    // how far it is ahead
}

// newChaosRole is nil unless the configuration lets it be.
func newChaosRole(cfg config.Config, name string) *chaosRole {
	if !cfg.Chaos.Enabled {
		return nil
	}
	return &chaosRole{name: name}
}

// route takes rules at the operations endpoint.
func (c *chaosRole) route(ops *roleops.Ops) {
	if c != nil {
		ops.Mux.HandleFunc("PUT "+chaoslab.RulesPath, opshttp.HereOnly(c.take))
	}
}

func (c *chaosRole) take(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	var list []chaoslab.Rule
	if err == nil {
		list, err = chaoslab.DecodeRules(raw)
	}
	if err != nil {
		opshttp.Problem(w, http.StatusBadRequest, "malformed", err.Error())
		return
	}
	var mine []chaoslab.Rule
	var ahead time.Duration
	for _, rule := range list {
		if ok, _ := path.Match(rule.Process, c.name); ok || rule.Process == "" { // checked by who sent it
			mine, ahead = append(mine, rule), ahead+rule.Clock
		}
	}
	c.rules.Store(&mine)
	c.clock.Store(int64(ahead))
	w.WriteHeader(http.StatusNoContent)
}

// now is the time by the clock of this process.
func (c *chaosRole) now() time.Time {
	if c == nil {
		return time.Now()
	}
	return time.Now().Add(time.Duration(c.clock.Load()))
}

// drawn finds a rule that is for something, and lets chance decide about its share.
func (c *chaosRole) drawn(is func(*chaoslab.Rule) bool) *chaoslab.Rule {
	list := c.rules.Load()
	if list == nil {
		return nil
	}
	for i := range *list {
		if r := &(*list)[i]; is(r) && (r.Share >= 1 || rand.Float64() < r.Share) {
			return r
		}
	}
	return nil
}

// wrap answers requests late or wrongly, as told.
func (c *chaosRole) wrap(next http.Handler) http.Handler {
	if c == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rule := c.drawn(func(rule *chaoslab.Rule) bool { return rule.Latency > 0 && rule.Covers(r) }); rule != nil {
			t := time.NewTimer(rule.Latency)
			defer t.Stop()
			select {
			case <-t.C:
			case <-r.Context().Done():
				return
			}
		}
		if rule := c.drawn(func(rule *chaoslab.Rule) bool { return rule.Status > 0 && rule.Covers(r) }); rule != nil {
			w.Header().Set("Retry-After", "1")
			opshttp.Problem(w, rule.Status, "temporarily-unavailable", "this answer was asked for by a chaos experiment")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// payments makes a provider fall silent, as told.
func (c *chaosRole) payments(p shop.PaymentProvider) shop.PaymentProvider {
	if c == nil {
		return p
	}
	return silentPayments{p, c}
}

type silentPayments struct {
	shop.PaymentProvider
	c *chaosRole
}

// Charge implements shop.PaymentProvider.
func (s silentPayments) Charge(ctx context.Context, key string, amount int64, currency string, m shop.PaymentMethod) (shop.Charge, error) {
	if r := s.c.drawn(func(r *chaoslab.Rule) bool { return r.Payment != "" }); r != nil {
		m.Outcome = r.Payment
	}
	return s.PaymentProvider.Charge(ctx, key, amount, currency, m)
}
