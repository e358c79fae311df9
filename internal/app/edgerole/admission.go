package edgerole

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/edge/admission"
	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/internal/web"
)

// admissionPatience is how long a checkout, a cart and a page wait for a place: what is answered within two seconds is good, and a wait of
// one is better than a refusal.
var admissionPatience = [3]time.Duration{1200 * time.Millisecond, 1100 * time.Millisecond, time.Second}

// admissionAhead is how far away the turn of a checkout may be that begins to wait: with what it then takes itself, commits of two disks
// among it, it shall be answered within a second. For a shop that stands still for a moment it waits longer.
var admissionAhead = [3]time.Duration{400 * time.Millisecond}

// addAdmission puts the limit before firewall and balancer, and behind the cache: hits need no place.
func (n *Node) addAdmission(o *edge.Options) (err error) {
	c := n.cfg.Admission
	if !c.Enabled {
		return nil
	}
	a := admission.Options{Initial: min(max(64, c.Min), c.Max), Min: c.Min, Max: c.Max, Target: c.Target, Slack: c.Slack, Ceiling: config.AdmissionCeiling, Patience: admissionPatience, Ahead: admissionAhead, Registerer: o.Registerer, Client: n.client}
	if n.rooms != nil {
		a.Queued = func(r *http.Request) bool { return n.rooms.ShopQueues() && buying(r) }
	}
	if n.cfg.Profile == config.ProfileShop {
		a.Classify, a.Refuse = importance, tellBusy
		if n.sessions != nil {
			a.Known = func(r *http.Request) bool { return n.session(r) != "" }
		}
	}
	if n.admission, err = admission.New(a); err != nil {
		return err
	}
	o.Middleware = append(o.Middleware, n.admission.Wrap)
	o.Admission = slices.Insert(o.Admission, 0, n.admission.Guard)
	return nil
}

// client is who sends a request: a session of ours, or else an address. Anybody can invent a session, so one that is not
// signed counts for nothing.
func (n *Node) client(r *http.Request) string {
	if n.sessions != nil {
		if s, ok, err := n.sessions.Load(r); ok && err == nil {
			return s.UserID
		}
	}
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",") // the edge has dropped what it does not believe
	return first
}

// importance tells what a request is worth to the shop.
func importance(r *http.Request) admission.Class {
	path := r.URL.Path
	switch {
	case path == "/orders/checkout" || path == "/bag/checkout" || path == "/queue": // the last is answered at the edge, for next to nothing
		return admission.Checkout
	case r.Method == http.MethodPost && path == "/events":
		return admission.Browse
	case r.Method != http.MethodGet && r.Method != http.MethodHead || HasPrefix(path, "/cart", "/bag", "/orders", "/users", "/account"):
		return admission.Cart
	case isCrawler(r.UserAgent()):
		return admission.Crawl
	}
	return admission.Browse
}

// isCrawler believes those who say so.
func isCrawler(agent string) bool {
	agent = strings.ToLower(agent)
	for _, word := range [...]string{"bot", "crawl", "spider"} {
		if strings.Contains(agent, word) {
			return true
		}
	}
	return false
}

// tellBusy refuses a request in the words of whoever made it: a page for a browser, a problem for a program.
func tellBusy(w http.ResponseWriter, r *http.Request, retryAfter int) {
	if !laterPage(http.StatusServiceUnavailable, "The shop is very busy")(w, r, retryAfter) {
		admission.Refuse(w, r, retryAfter)
	}
}

// laterPage answers a browser that is refused for now with a page that says why, and when it looks again; false leaves it to a problem.
func laterPage(status int, why string) func(w http.ResponseWriter, r *http.Request, retryAfter int) bool {
	return func(w http.ResponseWriter, r *http.Request, retryAfter int) bool {
		if !web.WantsPage(r) {
			return false
		}
		web.Later(w, r, status, retryAfter, why)
		return true
	}
}

// tellBlocked answers a browser that the firewall refused with a page; false leaves it to a problem. What is not the shopper's doing is short-lived
// and has a Retry-After, which problems tell.
func tellBlocked(w http.ResponseWriter, r *http.Request, status int, detail string) bool {
	if status >= http.StatusInternalServerError || !web.WantsPage(r) {
		return false
	}
	web.Blocked(w, r.Header.Get("X-Request-Id"), status, detail)
	return true
}

// edgeSessions reads the shopper's cookie at the edge: who somebody is, not whether their sign-in still stands, which is
// asked further in.
func edgeSessions(cfg config.Config) (*account.Sessions, error) {
	if cfg.Edge.Profile != config.ProfileShop || len(cfg.Session.Keys) == 0 {
		return nil, nil
	}
	o := account.SessionOptions{Keys: cfg.SessionKeys(), Users: signedSuffices{}, TTL: cfg.Session.TTL, NewID: roleops.NewID}
	if cfg.Session.Secure {
		o.Secure = func(*http.Request) bool { return true }
	}
	return account.NewSessions(o)
}

// signedSuffices takes every signed session for one that stands.
type signedSuffices struct{ shop.UserStore }

// SessionValid implements shop.UserStore.
func (signedSuffices) SessionValid(context.Context, string, string) (bool, error) { return true, nil }
