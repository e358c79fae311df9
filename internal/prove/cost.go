package prove

import (
	"context"
	"fmt"
	"strings"
)

const targetCost = 0.001 // dollars

var transactionCost = Criterion{
	Number: 7, ID: "transaction-cost", Name: "Cost of a transaction",
	Target:  "< $0.001",
	Measure: measureCost,
}

func measureCost(ctx context.Context, t *trial) (Finding, error) {
	w, err := t.walk(ctx)
	if err != nil {
		return Finding{}, err
	}
	if t.plans() {
		if _, err := t.trade(ctx); err != nil {
			return Finding{}, err
		}
	}
	if len(w.used) == 0 {
		_, err := t.platform.Usage(ctx)
		return Finding{}, fmt.Errorf("%w: what the platform's processes use is not known: %w", ErrCannot, err)
	}
	p := *t.o.Prices
	e := p.expenses(w.used, w.egress, w.Seconds, w.Orders)
	t.report.Expenses = &e
	requests := float64(w.Requests) / float64(w.Orders)
	return Finding{
		Measured: fmt.Sprintf("%s %s an order, with the %.0f requests that lead to it", dollars(e.Total), p.Currency, requests),
		Value:    e.Total, Unit: p.Currency,
		How: fmt.Sprintf("%s orders in %.0f s of journeys (%d lists, %d products, a cart, a checkout): processor time, memory and storage of every process of the platform as the kernel counted them, bytes that reached shoppers (compressed), times the prices in the list",
			thousands(float64(w.Orders)), w.Seconds, t.o.lists, walkViews),
		Limits: "processors, memory and storage are reckoned at their list prices, with " + percent(1-p.Utilisation) + " of the processors as head room; payment providers, people, idle nights and keeping the data are not in it",
		Details: []string{fmt.Sprintf("processors %s, memory %s, storage operations %s, egress %s", dollars(e.CPU), dollars(e.Memory), dollars(e.IO), dollars(e.Egress)),
			"written: " + writers(w.used)},
		Holds: e.Total < targetCost,
	}, nil
}

// writers says who wrote to storage.
func writers(used map[string]Resources) string {
	var parts []string
	for _, role := range roleOrder {
		if n := used[role].Written; n >= 1<<20 {
			parts = append(parts, fmt.Sprintf("%s %d MiB", role, n>>20))
		}
	}
	if parts == nil {
		return "nothing worth telling"
	}
	return strings.Join(parts, ", ")
}

// dollars shows small amounts with enough digits.
func dollars(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 0.01:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.7f", v)
}
