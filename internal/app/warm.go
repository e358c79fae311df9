package app

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/shop"
)

// warming is an API process's part in warm caches: it counts what is asked for, brings in what will be when it starts, when an edge
// starts, before campaigns and when told to, and pauses while shoppers need the room.
type warming struct {
	*warm.Warmer
	name  string // of the process
	s     *stack
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

const dataTierName = "data"

// openWarming makes it; nothing runs before begin.
func (s *stack) openWarming(name string) error {
	cfg := s.cfg.Warm
	w := &warming{name: name, s: s, cfg: cfg, shown: s.campaigns, store: &warmStore{js: s.js}, meter: warm.NewMeter(cfg.MaxLatency, 0),
		data: &dataTier{products: s.products, pages: http.HandlerFunc(notYet)}, find: candidates{s.catalog, len(cfg.Edges) > 0}}
	for i := range cfg.Campaigns {
		w.cfg.Campaigns[i] = cfg.Campaigns[i].WithDefaults()
	}
	tiers := []warm.Tier{warm.NewTier(dataTierName, w.data.warm)}
	for i, e := range cfg.Edges {
		t, err := newEdgeTier(i, e)
		if err != nil {
			return err
		}
		w.edges, tiers = append(w.edges, t), append(tiers, t)
	}
	w.worth = newWorth(s.catalog, cfg.Margin, w.cfg.Campaigns)
	seen := warm.NewPopularity(warm.PopularityOptions{HalfLife: cfg.HalfLife})
	var demand warm.Predictor = seen
	var err error
	if cfg.Predict {
		if w.sight, err = newForesight(cfg, name, seen, s.log); err != nil {
			return err
		}
		demand = w.sight
	}
	w.Warmer, err = warm.New(warm.Options{Popularity: seen, Predictor: warm.FillUp(demand, warm.PredictorFunc(w.find.popular)),
		Values: w.worth, Pressure: warm.Most(w.meter, warm.PressureFunc(w.databasePressure)),
		Life: lifeOf(len(w.edges) > 0), Store: w.store, Name: strings.ReplaceAll(name, ".", "_"), Top: cfg.Top, Rate: cfg.Rate, Capacity: s.cfg.Catalog.PoolSize, Share: cfg.Share,
		Registerer: s.reg, Log: s.log}, tiers...)
	if err != nil {
		return err
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	s.warm = w
	s.onClose(w.close)
	return nil
}

// databasePressure is 1 when shoppers' reads take half of the connections to a server of the catalogue. What warming itself has under way
// is a small part of that.
func (w *warming) databasePressure() float64 {
	most := int64(0)
	for _, n := range w.s.db.status() {
		most = max(most, n.InFlight)
	}
	return float64(most) / (float64(w.s.cfg.Catalog.PoolSize) / 2)
}

// observe counts what shoppers ask for and how long they wait, in front of next; pages answers what warming asks for itself.
func (w *warming) observe(next, pages http.Handler) http.Handler {
	w.data.pages = pages
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && warmable(r.RequestURI) && r.Header[warmHeader] == nil {
			w.Seen(r.RequestURI)
		}
		defer w.meter.End(w.meter.Begin())
		next.ServeHTTP(rw, r)
	})
}

// begin starts what runs by itself. Until the first run has ended, or ready_within is over, wait says so.
func (w *warming) begin() {
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
func (w *warming) first() {
	defer w.waiting.Store(false)
	w.restore()
	if w.cfg.Start {
		_, _ = w.Run(w.ctx, warm.Request{Reason: "start", Tiers: []string{dataTierName}}) // logged
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
func (w *warming) restore() {
	had, err := w.Restore(w.ctx)
	if err == nil && !had {
		var others [][]byte
		if others, err = w.store.all(w.ctx, "counts"); err == nil {
			err = w.Popularity().Merge(others...)
		}
	}
	if err != nil {
		w.s.log.Warn("what was asked for before the start is not known: popular products are warmed", "error", err)
	}
}

// wait is an error while shoppers should go to other processes.
func (w *warming) wait() error {
	if w.waiting.Load() {
		return errWarming
	}
	return nil
}

func (w *warming) close() {
	w.cancel()
	w.Warmer.Close()
	w.bg.Wait()
	for _, e := range w.edges {
		e.close()
	}
}
