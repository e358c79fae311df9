package prove

import (
	"context"
	"fmt"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

// walking is what the journey mix came to: lists, products, carts, orders.
type walking struct {
	Load
	reached float64 // journeys a second, where as many as can be are under way
	egress  int64   // bytes
	queries queries // statements meanwhile
}

// The journey: as the ready scenario has it, but what is bought is a product made for it.
const (
	walkLists, walkViews, walkUnits = 20, 5, 2

	walkUsers = 32        // shoppers who walk as fast as they are answered, to see what is reached
	everyday  = 1.0 / 3.0 // of that is offered: a shop has room for its peaks
)

// ViewsPerOrder are the requests of a journey beside its cart and checkout.
const ViewsPerOrder = walkLists + walkViews

// walk sees how many journeys the platform can serve, and then offers a third of them by the clock: figures of single statements and of
// costs are to be those of a shop that serves, not of one that is swamped.
func (t *trial) walk(ctx context.Context) (walking, error) {
	return t.walked.get(func() (w walking, err error) {
		if _, err := t.browse(ctx); err != nil { // it is the everyday state of the caches that counts
			return w, err
		}
		full, err := t.journeys(ctx, scenario.Load{Model: scenario.Closed, Users: walkUsers, Duration: t.pace.probe})
		if err != nil {
			return w, err
		}
		w.reached = full.Summary.Throughput / float64(t.o.lists+walkViews+walkUnits+1)
		t.say("  journeys: %.0f a second are reached", w.reached)
		if w.queries, err = t.statements(ctx); err != nil {
			return w, err
		}
		came := t.egress.Load()
		l, rate, err := t.offer(ctx, max(t.o.least, everyday*w.reached))
		if err != nil {
			return w, err
		}
		l.Offered = rate
		t.report.Journey = &l
		after, err := t.statements(ctx)
		w.Load, w.egress, w.queries = l, t.egress.Load()-came, after.since(w.queries)
		return w, err
	})
}

// mostOffers is how often journeys are offered, each time a quarter as many for twice as long, until somebody gets as far as an order.
const mostOffers = 3

// offer has so many journeys begin in a second; it tells how many it was in the end.
func (t *trial) offer(ctx context.Context, rate float64) (Load, float64, error) {
	for d, offers := t.pace.journey, 1; ; d, rate, offers = 2*d, rate/4, offers+1 {
		t.say("  offering %.1f journeys a second", rate)
		load := scenario.Load{Model: scenario.Open, Per: scenario.PerSession, Rate: rate, Duration: d}
		l, r, err := t.watched(ctx, func() (*loadsim.Report, error) { return t.journeys(ctx, load) })
		if err != nil || r.Summary.Orders > 0 {
			return l, rate, err
		}
		if offers == mostOffers {
			return l, rate, fmt.Errorf("no order came of %d requests, %d of which were answered badly: %v", r.Summary.TotalRequests, r.Summary.Failed, kinds(r))
		}
	}
}

func (t *trial) journeys(ctx context.Context, load scenario.Load) (*loadsim.Report, error) {
	return t.play(ctx, "journey", load, do(scenario.Browse, t.o.lists, ""), do(scenario.View, walkViews, ""),
		do(scenario.Add, walkUnits, scenario.OfHot), do(scenario.Checkout, 1, ""))
}

// kinds are the bad answers by kind, with one example each.
func kinds(r *loadsim.Report) map[string]string {
	out := map[string]string{}
	for kind, f := range r.Errors {
		out[kind] = fmt.Sprint(f.Count)
		if len(f.Samples) > 0 {
			out[kind] += ": " + f.Samples[0]
		}
	}
	return out
}
