package prove

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

var oversell = Criterion{
	Number: 8, ID: "correctness", Name: "No oversell, no lost and no double order",
	Target:  "0 of each, and the audit is clean",
	Measure: measureOversell,
}

// rushing is what a crowd's checkouts of one limited product came to.
type rushing struct {
	Load
	pace float64 // orders a second, as long as there were units
}

// rush has a crowd buy the limited product until it is gone, and for a while after that.
func (t *trial) rush(ctx context.Context) (rushing, error) {
	return t.rushed.get(func() (rushing, error) {
		t.say("  %d shoppers want one of %d units", t.pace.rushUsers, t.pace.rushStock)
		load := scenario.Load{Model: scenario.Closed, Users: t.pace.rushUsers, Duration: t.pace.rush}
		sc := scenario.Scenario{Name: "rush", Load: load, Popularity: scenario.Popularity{Product: t.rushItem}, Shoppers: []scenario.Shopper{{
			Kind: "rush", Steps: []scenario.Step{do(scenario.View, 1, scenario.OfHot), do(scenario.Add, 1, scenario.OfHot), do(scenario.Checkout, 1, "")},
		}}}
		t.ledger.restart()
		l, _, err := t.watched(ctx, func() (*loadsim.Report, error) {
			return t.run(ctx, loadsim.Options{Target: t.about.URL, Scenario: &sc, Transport: t.ledger})
		})
		return rushing{l, t.ledger.pace()}, err
	})
}

// booking is how the books stand after everything that was bought.
type booking struct {
	Books
	sold, left int64 // units of the limited product
	audit      Audit
	audited    error // why there was none
}

// book holds our record against the shop's lists, the stock against what was sold, and asks for the platform's own audit.
func (t *trial) book(ctx context.Context) (booking, error) {
	return t.booked.get(func() (b booking, err error) {
		t.say("  comparing orders")
		if b.Books, err = t.ledger.reconcile(ctx, t.shop, t.rushItem); err != nil {
			return b, err
		}
		b.sold = b.Units
		err = await(ctx, t.pace.settle, func() error { // what a failed checkout held comes back within a moment
			if b.left, err = t.shop.available(ctx, t.rushItem); err != nil {
				return err
			}
			if b.left+b.sold != t.pace.rushStock {
				return errDiffers
			}
			return nil
		})
		if err != nil && !errors.Is(err, errDiffers) {
			return b, err
		}
		t.say("  audit")
		b.audit, b.audited = t.platform.Audit(ctx)
		t.report.Books = &b.Books
		return b, nil
	})
}

var errDiffers = errors.New("stock and orders differ")

func measureOversell(ctx context.Context, t *trial) (Finding, error) {
	r, err := t.rush(ctx)
	if err != nil {
		return Finding{}, err
	}
	b, err := t.book(ctx)
	if err != nil {
		return Finding{}, err
	}
	stock := t.pace.rushStock
	over := max(0, b.sold-stock)
	f := Finding{
		Measured: fmt.Sprintf("%d oversold, %d lost, %d double, of %s orders; %s", over, b.Lost, b.Doubled, thousands(float64(b.Acknowledged)), b.audit.verdict(b.audited)),
		Value:    float64(over + b.Lost + b.Doubled), Unit: "orders",
		How: fmt.Sprintf("%d shoppers at once bought one product of which there were %d (%s requests/s), one checkout in %d sent twice at once; then every acknowledged order of this proof, those under faults too, was looked for in its shopper's GET /orders, the stock held against them, and the platform's own audit made",
			t.pace.rushUsers, stock, thousands(r.Rate), doubleClick),
		Limits: fmt.Sprintf("one product lives on one shard: %.0f orders/s of it, views and carts beside; p95 of a checkout %s", r.pace, milliseconds(r.P95["checkout"])),
		Details: append([]string{
			fmt.Sprintf("the limited product: %d units, %d in confirmed orders, %d left", stock, b.sold, b.left),
			fmt.Sprintf("%s sessions, %d double clicks, %d checkouts of unknown outcome", thousands(float64(b.Sessions)), b.DoubleClicks, b.Doubts),
		}, append(b.Notes, b.audit.Broken...)...),
		Holds: over == 0 && b.Lost == 0 && b.Doubled == 0 && b.left+b.sold == stock && b.Acknowledged > 0 && b.audited == nil && b.audit.OK,
	}
	if b.left+b.sold != stock {
		f.Details = append(f.Details, fmt.Sprintf("%d units are neither sold nor in stock", stock-b.left-b.sold))
	}
	return f, nil
}

func (a Audit) verdict(err error) string {
	switch {
	case err != nil:
		return "no audit: " + err.Error()
	case !a.OK:
		return "the audit is not clean: " + strings.Join(a.Broken[:min(1, len(a.Broken))], "")
	}
	return fmt.Sprintf("audit clean (%s checks)", thousands(float64(a.Checked)))
}
