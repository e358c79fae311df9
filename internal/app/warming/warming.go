package warming

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/cached"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// Warming is an API process's part in warm caches: it counts what is asked for, brings in what will be when it starts, when an edge
// starts, before campaigns and when told to, and pauses while shoppers need the room.
type Warming struct {
	*warm.Warmer
	name  string // of the process
	o     Options
	log   *slog.Logger
	cfg   config.WarmConfig
	store *warmStore
	meter *warm.Meter
	data  *dataTier
	edges []*edgeTier
	find  candidates
	sight *foresight // nil: frequency alone ranks
	worth *worth
	shown shop.CampaignReader // nil: the shop has none but those of the configuration
	owner ownCampaigns

	waiting atomic.Bool // shoppers are to be kept away for now
	ctx     context.Context
	cancel  context.CancelFunc
	bg      sync.WaitGroup
}

// DataTierName is the tier of products in process and Redis; edges have names of their own.
const DataTierName = "data"

// Options are what it warms with.
type Options struct {
	Name       string // of the process
	Config     config.Config
	Log        *slog.Logger
	Registerer prometheus.Registerer
	Queue      jetstream.JetStream
	Products   *cached.Products
	Catalog    *postgres.Catalog
	Campaigns  shop.CampaignReader // nil: the shop has none but those of the configuration
	// InFlight is how many reads of the catalogue shoppers have under way at the server that has most.
	InFlight func() int64
}

// New is one that answers for the Warmer it is given, and does nothing by itself.
func New(name string, cfg config.WarmConfig, log *slog.Logger) *Warming {
	return &Warming{name: name, cfg: cfg, log: log}
}

// Open makes it; nothing runs before begin. Close it.
func Open(o Options) (*Warming, error) {
	cfg := o.Config.Warm
	w := New(o.Name, cfg, o.Log)
	w.o, w.shown, w.store, w.meter = o, o.Campaigns, &warmStore{js: o.Queue}, warm.NewMeter(cfg.MaxLatency, 0)
	w.data, w.find = &dataTier{products: o.Products, pages: http.HandlerFunc(notYet)}, candidates{o.Catalog, len(cfg.Edges) > 0}
	for i := range cfg.Campaigns {
		w.cfg.Campaigns[i] = cfg.Campaigns[i].WithDefaults()
	}
	tiers := []warm.Tier{warm.NewTier(DataTierName, w.data.warm)}
	for i, e := range cfg.Edges {
		t, err := newEdgeTier(i, e)
		if err != nil {
			return nil, err
		}
		w.edges, tiers = append(w.edges, t), append(tiers, t)
	}
	w.worth = newWorth(o.Catalog, cfg.Margin, w.cfg.Campaigns)
	seen := warm.NewPopularity(warm.PopularityOptions{HalfLife: cfg.HalfLife})
	var demand warm.Predictor = seen
	var err error
	if cfg.Predict {
		if w.sight, err = newForesight(cfg, o.Name, seen, o.Log); err != nil {
			return nil, err
		}
		demand = w.sight
	}
	w.Warmer, err = warm.New(warm.Options{Popularity: seen, Predictor: warm.FillUp(demand, warm.PredictorFunc(w.find.popular)),
		Values: w.worth, Pressure: warm.Most(w.meter, warm.PressureFunc(w.databasePressure)),
		Life: lifeOf(len(w.edges) > 0), Store: w.store, Name: strings.ReplaceAll(o.Name, ".", "_"), Top: cfg.Top, Rate: cfg.Rate, Capacity: o.Config.Catalog.PoolSize, Share: cfg.Share,
		Registerer: o.Registerer, Log: o.Log}, tiers...)
	if err != nil {
		return nil, err
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w, nil
}

// databasePressure is 1 when shoppers' reads take half of the connections to a server of the catalogue. What warming itself has under way
// is a small part of that.
func (w *Warming) databasePressure() float64 {
	return float64(w.o.InFlight()) / (float64(w.o.Config.Catalog.PoolSize) / 2)
}

// Observe counts what shoppers ask for and how long they wait, in front of next; pages answers what warming asks for itself.
func (w *Warming) Observe(next, pages http.Handler) http.Handler {
	w.data.pages = pages
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && Warmable(r.RequestURI) && r.Header[Header] == nil {
			w.Seen(r.RequestURI)
		}
		defer w.meter.End(w.meter.Begin())
		next.ServeHTTP(rw, r)
	})
}

// Begin starts what runs by itself. Until the first run has ended, or ready_within is over, wait says so.
func (w *Warming) Begin() {
	for _, e := range w.edges {
		w.bg.Go(func() { e.listen(w.ctx, w) })
	}
	w.bg.Go(w.first)
	if w.sight != nil {
		w.bg.Go(func() { w.sight.run(w.ctx) })
	}
	if !w.cfg.Start || w.cfg.ReadyWithin == 0 {
		return
	}
	w.waiting.Store(true)
	timer := time.AfterFunc(w.cfg.ReadyWithin, func() { w.waiting.Store(false) })
	context.AfterFunc(w.ctx, func() { timer.Stop() })
}

// first brings back what was known, and with that the caches, then follows the campaigns.
func (w *Warming) first() {
	defer w.waiting.Store(false)
	w.restore()
	if w.cfg.Start {
		_, _ = w.Run(w.ctx, warm.Request{Reason: "start", Tiers: []string{DataTierName}}) // logged
	}
	for _, c := range w.cfg.Campaigns {
		err := w.Follow(warm.Campaign{Name: c.Name, Start: c.Start, Before: c.Before,
			Keys: func(ctx context.Context) ([]string, error) { return w.find.campaign(ctx, c) }})
		if err != nil {
			return // closed
		}
	}
	if w.shown != nil {
		w.bg.Go(w.followOwn)
	}
}

// restore takes up the counts of this process's last life, or those of the others when there are none.
func (w *Warming) restore() {
	had, err := w.Restore(w.ctx)
	if err == nil && !had {
		var others [][]byte
		if others, err = w.store.all(w.ctx, "counts"); err == nil {
			err = w.Popularity().Merge(others...)
		}
	}
	if err != nil {
		w.log.Warn("what was asked for before the start is not known: popular products are warmed", "error", err)
	}
}

// Wait is an error while shoppers should go to other processes.
func (w *Warming) Wait() error {
	if w.waiting.Load() {
		return errWarming
	}
	return nil
}

// Close ends what runs and waits for it.
func (w *Warming) Close() {
	w.cancel()
	w.Warmer.Close()
	w.bg.Wait()
	for _, e := range w.edges {
		e.close()
	}
}
