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
	egress  int64   // bytes
	queries queries // statements meanwhile
}

// The journey: as the ready scenario has it, but what is bought is a product made for it.
const (
	walkLists, walkViews, walkUnits = 20, 5, 2

	mostWalks = 50.0 // journeys that begin in a second
	perReach  = 300  // requests/s that the browse mix must reach for each of them: about a third of the machine
)

// ViewsPerOrder are the requests of a journey beside its cart and checkout.
const ViewsPerOrder = walkLists + walkViews

// walk offers journeys by the clock, at a rate that leaves most of the machine free: figures of single statements and of costs are
// to be those of a shop that serves, not of one that is swamped.
func (t *trial) walk(ctx context.Context) (walking, error) {
	return t.walked.get(func() (w walking, err error) {
		b, err := t.browse(ctx)
		if err != nil {
			return w, err
		}
		rate := max(t.o.least, min(mostWalks, b.Capacity/perReach))
		t.say("  journeys: %.0f begin in a second", rate)
		if w.queries, err = t.statements(ctx); err != nil {
			return w, err
		}
		came := t.egress.Load()
		load := scenario.Load{Model: scenario.Open, Per: scenario.PerSession, Rate: rate, Duration: t.pace.journey}
		l, r, err := t.watched(ctx, func() (*loadsim.Report, error) {
			return t.play(ctx, "journey", load, do(scenario.Browse, t.o.lists, ""), do(scenario.View, walkViews, ""),
				do(scenario.Add, walkUnits, scenario.OfHot), do(scenario.Checkout, 1, ""))
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
