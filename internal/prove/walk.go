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
		rate := max(t.o.least, everyday*w.reached)
		t.say("  journeys: %.0f a second are reached; offering %.0f", w.reached, rate)
		if w.queries, err = t.statements(ctx); err != nil {
			return w, err
		}
		came := t.egress.Load()
		load := scenario.Load{Model: scenario.Open, Per: scenario.PerSession, Rate: rate, Duration: t.pace.journey}
		l, r, err := t.watched(ctx, func() (*loadsim.Report, error) {
			return t.journeys(ctx, load)
		})
		if err != nil {
			return w, err
		}
		if r.Summary.Orders == 0 {
			return w, fmt.Errorf("no order came of %d requests, %d of which were answered badly: %v", r.Summary.TotalRequests, r.Summary.Failed, kinds(r))
		}
		l.Offered = rate
		t.report.Journey = &l
		after, err := t.statements(ctx)
		w.Load, w.egress, w.queries = l, t.egress.Load()-came, after.since(w.queries)
		return w, err
	})
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
