package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/shop"
)

// Deadlines of a call; the work behind it sees them in its context.
const (
	readDeadline     = 5 * time.Second
	checkoutDeadline = 12 * time.Second // a little more than the saga's own
)

// access is who may make a call and what it is about.
type access int

const (
	catalogue access = iota // anybody; the answer is the same for everybody
	shopper                 // anybody, under a session that is started if there is none
	admin                   // who has the administrator's token
	open                    // anybody, no session
)

// route is one call: how it is mounted, checked and documented.
type route struct {
	method, path string
	id, summary  string
	text         string
	access       access
	params       []param // query and headers; path parameters are documented by their names
	body         *bodySpec
	takes        []string // media types of a body that the call reads itself
	answers      []answer
	codes        []shop.Code // beyond those that every call of its kind may give
	deadline     time.Duration
	handle       func(c *call) error
}

// call is one request on its way through a handler.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	route   *route
	session account.Session // set for access shopper
	body    []byte          // validated and canonical; nil when the call has none
}

func (c *call) ctx() context.Context { return c.r.Context() }

// routes is the whole API.
func (a *api) routes() []route {
	return slices.Concat(a.productRoutes(), a.facetRoutes(), a.productAdminRoutes(), a.campaignRoutes(), a.stockRoutes(), a.cartRoutes(), a.checkoutRoutes(),
		a.orderRoutes(), a.userRoutes(), a.eventRoutes(), a.batchRoutes(), a.metaRoutes())
}

// Patterns lists the paths that [Register] mounts, in net/http's form.
func Patterns() []string {
	a := &api{}
	var out []string
	for _, r := range a.routes() {
		if !slices.Contains(out, r.path) {
			out = append(out, r.path)
		}
	}
	return append(out, subtrees...)
}

// subtrees belong to the API as a whole: what is not mounted below them is a 404 problem, not a page.
var subtrees = []string{"/products/", "/campaigns/", "/cart/", "/orders/", "/users/", "/problems/"}

// routeOf is the route that a request goes to, nil if none.
func (a *api) routeOf(r *http.Request) *route {
	_, pattern := a.inner.Handler(r)
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, rt := range a.doc.routes {
		if rt.path == pattern && rt.method == method {
			return rt
		}
	}
	return nil
}

// mountInner makes the chain that the calls of a batch pass: what a request of its own passes, on a mux of the JSON calls only.
func (a *api) mountInner() {
	a.inner = http.NewServeMux()
	a.mount(a.inner)
	a.inner.HandleFunc("/", notThere)
	a.chain = Middleware(Routed(a.inner), MiddlewareDeps{Log: a.Log, Registerer: a.Registerer, AccessLog: a.AccessLog, Now: a.Now, NewID: a.NewID})
	if a.Around != nil {
		a.chain = a.Around(a.chain)
	}
}

func notThere(w http.ResponseWriter, r *http.Request) {
	WriteProblem(w, r, shop.Errorf(shop.CodeNotFound, "there is no %s: see /openapi.json for what there is", r.URL.Path))
}

// mount registers paths without methods, so that a wrong method is answered here, as a problem.
func (a *api) mount(mux *http.ServeMux) {
	byPath := map[string]map[string]*route{}
	for _, r := range a.doc.routes {
		if byPath[r.path] == nil {
			byPath[r.path] = map[string]*route{}
		}
		byPath[r.path][r.method] = r
	}
	for path, methods := range byPath {
		mux.Handle(path, a.methods(methods))
	}
	for _, path := range subtrees {
		mux.HandleFunc(path, notThere)
	}
}

func (a *api) methods(routes map[string]*route) http.Handler {
	allow := []string{http.MethodOptions}
	for m := range routes {
		allow = append(allow, m)
		if m == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	allowed := strings.Join(allow, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		rt := routes[method]
		switch {
		case rt != nil:
			a.serve(w, r, rt)
		case r.Method == http.MethodOptions:
			w.Header().Set("Allow", allowed)
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Allow", allowed)
			WriteProblem(w, r, shop.Errorf(codeMethod, "%s is not possible here: use one of %s", r.Method, allowed))
		}
	})
}

// serve does what all calls have in common, then the call.
func (a *api) serve(w http.ResponseWriter, r *http.Request, rt *route) {
	limit := rt.deadline
	if limit == 0 {
		limit = readDeadline
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	c := &call{w: w, r: r.WithContext(ctx), route: rt}
	if err := a.prepare(c); err != nil {
		WriteProblem(w, r, err)
		return
	}
	if err := rt.handle(c); err != nil {
		WriteProblem(w, r, err)
	}
}

// prepare checks who asks, then what is asked.
func (a *api) prepare(c *call) error {
	switch c.route.access {
	case admin:
		if err := a.authorize(c); err != nil {
			return err
		}
	case shopper:
		if err := a.ensureSession(c); err != nil {
			return err
		}
	}
	if c.route.body == nil {
		return nil
	}
	var err error
	c.body, err = a.doc.readBody(c.w, c.r, c.route.body)
	return err
}

func (a *api) ensureSession(c *call) error {
	if c.r.Header.Get("Sec-Fetch-Site") == "cross-site" && c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		return shop.Errorf(shop.CodeForbidden, "this call was made by a page of another site: make it from the shop's own pages")
	}
	var err error
	c.session, err = a.Sessions.Ensure(c.w, c.r)
	return err
}
