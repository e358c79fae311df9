package edgerole

import (
	"fmt"
	"hash/maphash"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/edge/limit"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/shop"
)

const (
	scalperSpan    = 10 * time.Minute // within which carts are counted, at least half of it
	scalperClients = 50_000           // pairs of client and product that are kept, twice
)

// scalpers counts into how many carts one client address puts one product. A shop that is honest needs few: a household, an
// office. Who needs hundreds sells them on.
type scalpers struct {
	most    int
	seed    maphash.Seed
	refused prometheus.Counter

	mu          sync.Mutex
	turned      time.Time
	young, aged map[uint64][]uint64 // client and product → carts
}

func newScalpers(most int) *scalpers {
	return &scalpers{most: most, seed: maphash.MakeSeed(), refused: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "stampede", Subsystem: "scalpers",
		Name: "refused_total", Help: "Products not put into one more cart, because too many carts of their client have them."})}
}

// admit tells whether a client may put a product into that cart, and notes it.
func (s *scalpers) admit(client string, product int64, cart string, now time.Time) bool {
	key := maphash.String(s.seed, client+" "+strconv.FormatInt(product, 10))
	id := maphash.String(s.seed, cart)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young == nil || now.Sub(s.turned) >= scalperSpan/2 || len(s.young) >= scalperClients {
		s.young, s.aged, s.turned = map[uint64][]uint64{}, s.young, now
	}
	carts := s.young[key]
	if carts == nil {
		carts = s.aged[key] // what goes on is not forgotten
	}
	for _, c := range carts {
		if c == id {
			s.young[key] = carts
			return true
		}
	}
	if len(carts) >= s.most {
		s.young[key] = carts
		return false
	}
	s.young[key] = append(carts[:len(carts):len(carts)], id)
	return true
}

// addScalpers puts the count of carts behind the limits.
func (n *Node) addScalpers(o *edge.Options) error {
	most := n.cfg.CartsPerClient
	if n.sessions == nil || most == 0 || n.cfg.Limits == string(limit.ModeOff) {
		return nil
	}
	s := newScalpers(most)
	if o.Registerer != nil {
		if err := o.Registerer.Register(s.refused); err != nil {
			return err
		}
	}
	o.Admission = append(o.Admission, func(next http.Handler) http.Handler { return n.oneCartEach(s, next) })
	return nil
}

// BatchScalpers is the same count for the calls of batches, in an API process: the edge sees a batch alone. It goes around what
// does a call.
func BatchScalpers(cfg config.Config, reg prometheus.Registerer) (func(http.Handler) http.Handler, error) {
	cfg.Edge.Profile = config.ProfileShop // it is the shop itself
	o, n := &edge.Options{Registerer: reg}, &Node{cfg: cfg.Edge}
	var err error
	if n.sessions, err = edgeSessions(cfg); err != nil {
		return nil, fmt.Errorf("session.keys: %w", err)
	}
	if err = n.addScalpers(o); err != nil || len(o.Admission) == 0 {
		return func(next http.Handler) http.Handler { return next }, err
	}
	return o.Admission[0], nil
}

// oneCartEach refuses to put a product into yet another cart of a client that has it in too many. Clients on this machine
// are let be, as they are by the limits, so that load can be generated here. A cart without a session is a new one.
func (n *Node) oneCartEach(s *scalpers, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/cart/add" && r.URL.Path != "/bag/add" {
			next.ServeHTTP(w, r)
			return
		}
		client, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
		product := boughtIn(r)
		if product == 0 || client == "" || isLoopback(client) && n.cfg.Limits != string(limit.ModeStrict) {
			next.ServeHTTP(w, r)
			return
		}
		cart := n.session(r)
		if cart == "" {
			cart = r.Header.Get("X-Request-Id")
		}
		if s.admit(network(client), product, cart, time.Now()) {
			next.ServeHTTP(w, r)
			return
		}
		s.refused.Inc()
		tellScalper(w, r)
	})
}

// isLoopback and network read an address as the edge wrote it. A client of IPv6 has a whole network.
func isLoopback(client string) bool {
	a, err := netip.ParseAddr(client)
	return err == nil && a.IsLoopback()
}

func network(client string) string {
	a, err := netip.ParseAddr(client)
	if err != nil || !a.Is6() {
		return client
	}
	p, _ := a.Prefix(64) // of an address of IPv6: cannot fail
	return p.String()
}

func tellScalper(w http.ResponseWriter, r *http.Request) {
	wait := int(scalperSpan / time.Second)
	if laterPage(http.StatusTooManyRequests, "This is in too many bags of your address")(w, r, wait) {
		return
	}
	w.Header().Set("Retry-After", strconv.Itoa(wait))
	opshttp.Problem(w, http.StatusTooManyRequests, string(shop.CodeTooManyRequests),
		"this product is in too many carts of your address already: buy it with one of them, or come back later")
}
