package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/shop"
)

// Bounds of one request.
const (
	readWithin  = 5 * time.Second  // a page that only reads
	writeWithin = 15 * time.Second // a form; the checkout inside it has its own, shorter deadline
	maxFormBody = 64 << 10         // bytes
)

// Deps is what the storefront needs. Facets, Campaigns, Log and Now may be left out; everything else is required.
type Deps struct {
	Products    shop.ProductReader
	Facets      shop.FacetReader    // nil: lists cannot be narrowed down
	Campaigns   shop.CampaignReader // nil: there are none
	StockReader shop.StockReader
	Carts       shop.CartStore
	Orders      shop.OrderStore
	Users       shop.UserStore
	Checkouts   *shop.Checkouts
	Sessions    *account.Sessions
	Accounts    *account.Accounts
	Log         *slog.Logger     // nil: discard
	Now         func() time.Time // nil: time.Now
	NewID       func() string
}

func (d *Deps) check() error {
	var missing []error
	need := func(name string, ok bool) {
		if !ok {
			missing = append(missing, errors.New("web: Deps."+name+" is not set"))
		}
	}
	need("Products", d.Products != nil)
	need("StockReader", d.StockReader != nil)
	need("Carts", d.Carts != nil)
	need("Orders", d.Orders != nil)
	need("Users", d.Users != nil)
	need("Checkouts", d.Checkouts != nil)
	need("Sessions", d.Sessions != nil)
	need("Accounts", d.Accounts != nil)
	need("NewID", d.NewID != nil)
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return errors.Join(missing...)
}

type site struct {
	Deps
	pages map[string]*tmpl
	mux   *http.ServeMux
}

// handler answers a request or returns the error that the error page shows.
type handler func(*site, http.ResponseWriter, *http.Request) error

type kind int

const (
	shared   kind = iota // may be kept by an edge; no cookies
	personal             // one shopper's; never stored
	form                 // changes something; same-origin POST only
)

type route struct {
	pattern string
	kind    kind
	serve   handler
}

func routes() []route {
	return []route{
		{"GET /{$}", shared, (*site).home},
		{"GET /c/{category...}", shared, (*site).category},
		{"GET /p/{ref}", shared, (*site).product},
		{"GET /sale/{slug}", shared, (*site).sale},
		{"GET /search", shared, (*site).search},
		{"GET /img/{file}", shared, (*site).picture},
		{"GET /assets/{file}", shared, (*site).asset},
		{"GET /bag", personal, (*site).bag},
		{"POST /bag/add", form, (*site).bagAdd},
		{"POST /bag/update", form, (*site).bagUpdate},
		{"POST /bag/checkout", form, (*site).bagCheckout},
		{"GET /account", personal, (*site).account},
		{"POST /account/login", form, (*site).login},
		{"POST /account/register", form, (*site).register},
		{"POST /account/logout", form, (*site).logout},
		{"GET /account/orders/{id}", personal, (*site).order},
		{"POST /account/orders/{id}/cancel", form, (*site).orderCancel},
	}
}

// Register mounts the storefront on a mux that it may share with the JSON API: its own paths, and "/" for whatever
// nobody else answers.
func Register(mux *http.ServeMux, d Deps) error {
	h, err := New(d)
	if err != nil {
		return err
	}
	for _, p := range append(Patterns(), "/") {
		mux.Handle(p, h)
	}
	return nil
}

// Patterns are the ServeMux patterns of the storefront's own paths.
func Patterns() []string {
	rs := routes()
	ps := make([]string, len(rs))
	for i, r := range rs {
		ps[i] = r.pattern
	}
	return ps
}

// New makes the storefront. It answers every path, those that are not its own with a "not found" page or problem.
func New(d Deps) (http.Handler, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	s := &site{Deps: d, pages: pages}
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(s.wrap(personal, (*site).crossOrigin))
	mux := http.NewServeMux()
	s.mux = mux
	for _, rt := range routes() {
		var h http.Handler = s.wrap(rt.kind, rt.serve)
		if rt.kind == form {
			h = csrf.Handler(h)
		}
		mux.Handle(rt.pattern, h)
	}
	mux.Handle("/", s.wrap(personal, (*site).unknown))
	return mux, nil
}

// wrap gives a handler its deadline, its headers and its error page.
func (s *site) wrap(k kind, serve handler) http.HandlerFunc {
	within := readWithin
	if k == form {
		within = writeWithin
	}
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), within)
		defer cancel()
		r = r.WithContext(ctx)
		secure(w.Header())
		if k != shared {
			noStore(w.Header())
		}
		if k == form {
			r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
			if err := r.ParseForm(); err != nil {
				s.fail(w, r, shop.Errorf(shop.CodeMalformed, "the form could not be read: go back and send it again (%w)", err))
				return
			}
		}
		if err := serve(s, w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

func (s *site) crossOrigin(http.ResponseWriter, *http.Request) error {
	return shop.Errorf(shop.CodeForbidden, "this form was sent from another site: open the page in the shop and send it from there")
}

// unknown answers for a path that is no page, and for a method that a page does not take.
func (s *site) unknown(w http.ResponseWriter, r *http.Request) error {
	var allow []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		if _, pattern := s.mux.Handler(&http.Request{Method: m, Host: r.Host, URL: r.URL}); pattern != "/" && pattern != "" {
			allow = append(allow, m)
		}
	}
	if len(allow) == 0 {
		return shop.NotFound("page", r.URL.Path)
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	return shop.Errorf(codeMethod, "%s is not possible here: use %s", r.Method, strings.Join(allow, " or "))
}
