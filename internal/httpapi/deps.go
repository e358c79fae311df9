package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/shop"
)

// Deps is what the API stands on. All of it is needed, except Facets, Events, AdminToken (without one every administrator's call is
// refused), Log (nil discards), Registerer (nil: no metrics), Now, NewID and Around.
type Deps struct {
	Products    shop.ProductReader // a shop.EncodedReader makes answers faster
	Facets      shop.FacetReader   // nil: Products, if it counts; or else there are no counts
	Catalog     shop.ProductWriter
	Campaigns   Campaigns
	StockReader shop.StockReader // at most 1 s old
	Stock       shop.StockStore
	Carts       shop.CartStore
	Orders      shop.OrderStore
	Users       shop.UserStore
	Checkouts   *shop.Checkouts
	Sessions    *account.Sessions
	Accounts    *account.Accounts
	Events      EventTaker // nil: none are taken
	AdminToken  string
	Log         *slog.Logger
	Registerer  prometheus.Registerer
	// AccessLog writes a line for every request at level info; otherwise those that went well are at level debug.
	AccessLog bool
	Now       func() time.Time
	NewID     func() string
	// Around is put around the handler of each call of a batch: the limits, if there are any, that a request of its own passes
	// before it comes here. nil: none.
	Around func(http.Handler) http.Handler
}

// Campaigns is the store of campaigns.
type Campaigns interface {
	shop.CampaignReader
	shop.CampaignWriter
}

// api is the handlers' receiver.
type api struct {
	Deps
	views   shop.EncodedReader      // Products with their JSON
	facets  shop.EncodedFacetReader // Facets with theirs
	doc     *document
	openapi *representation
	inner   *http.ServeMux // of the calls of batches
	chain   http.Handler   // inner, with what is around it
}

func newAPI(d Deps) (*api, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.NewID == nil {
		d.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	a := &api{Deps: d, views: shop.Encoding(d.Products), facets: d.counter()}
	var err error
	if a.doc, err = newDocument(a.routes()); err != nil {
		return nil, err
	}
	text, err := a.doc.json()
	a.openapi = newRepresentation(text, 0, "")
	return a, err
}

func (d Deps) counter() shop.EncodedFacetReader {
	r := d.Facets
	if r == nil {
		r, _ = d.Products.(shop.FacetReader)
	}
	if r == nil {
		r = uncounted{}
	}
	return shop.EncodingFacets(r)
}

// uncounted is for a shop that cannot count.
type uncounted struct{}

func (uncounted) Facets(context.Context, shop.ProductQuery) (shop.Facets, error) {
	return shop.Facets{}, shop.Errorf(shop.CodeUnavailable, "this shop does not count its products")
}

func (d Deps) check() error {
	missing := map[string]bool{
		"Products": d.Products == nil, "Catalog": d.Catalog == nil, "Campaigns": d.Campaigns == nil, "StockReader": d.StockReader == nil,
		"Stock": d.Stock == nil, "Carts": d.Carts == nil, "Orders": d.Orders == nil, "Users": d.Users == nil,
		"Checkouts": d.Checkouts == nil, "Sessions": d.Sessions == nil, "Accounts": d.Accounts == nil,
	}
	var errs []error
	for name, is := range missing {
		if is {
			errs = append(errs, errors.New("httpapi: Deps."+name+" is missing"))
		}
	}
	return errors.Join(errs...)
}

// New returns the whole API with its middleware; any other path is a 404 problem.
func New(d Deps) (http.Handler, error) {
	mux := http.NewServeMux()
	if err := Register(mux, d); err != nil {
		return nil, err
	}
	mux.HandleFunc("/", notThere)
	return Middleware(Routed(mux), MiddlewareDeps{Log: d.Log, Registerer: d.Registerer, AccessLog: d.AccessLog, Now: d.Now, NewID: d.NewID}), nil
}

// Register mounts the JSON calls, and nothing else, on a mux that may hold other things too. It adds no middleware:
// wrap the mux in [Middleware].
func Register(mux *http.ServeMux, d Deps) error {
	a, err := newAPI(d)
	if err != nil {
		return err
	}
	a.mountInner()
	a.mount(mux)
	return nil
}
