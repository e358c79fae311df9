package postgres

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxViolations bounds the violations of one rule that a report lists; all are counted.
const maxViolations = 100

// AuditReport is the outcome of an audit.
type AuditReport struct {
	OK    bool        `json:"ok"`
	Rules []AuditRule `json:"rules"`
	// InFlight counts work that was under way: open_checkouts, outbox (undelivered events), unsettled (rows within the
	// grace time that the worker has yet to follow up), settling (what looked wrong at first and then was not).
	InFlight map[string]int64 `json:"in_flight"`
}

// AuditRule is one rule and the rows that break it. Checked counts the rows it was applied to, Broken the violations;
// at most 100 are listed.
type AuditRule struct {
	Name        string           `json:"name"`
	Description string           `json:"description"`
	Checked     int64            `json:"checked"`
	Broken      int              `json:"broken"`
	Violations  []AuditViolation `json:"violations"`
}

// AuditViolation is a row that breaks a rule.
type AuditViolation struct {
	Subject string `json:"subject"` // the id of the order, product, key or shard it is about
	Detail  string `json:"detail"`
}

// The rules of the audit, by what they are about, in the order of the report.
var auditRules = []struct{ name, about, description string }{
	{ruleStockBalance, "product", "units received = available + held + committed, for every product"},
	{ruleStockNegative, "product", "no product has fewer than 0 units available"},
	{ruleOrderReserved, "order", "every line of a confirmed order has a committed reservation of the same quantity"},
	{ruleReservationOwned, "order", "every unit that is taken belongs to a confirmed order or to a checkout under way"},
	{ruleFailedReleased, "order", "failed checkouts hold no units and no money"},
	{ruleCancelledUndone, "order", "cancelled orders have given back their units and their money"},
	{ruleOrderPaid, "order", "every confirmed order has one payment and one captured charge, both of its total"},
	{ruleChargeOwned, "order", "every captured charge belongs to a confirmed order or to a checkout under way"},
	{ruleOrderTotals, "order", "totals of orders are the sums of their lines"},
	{ruleCheckoutOrder, "order", "confirmed checkouts and orders belong together one to one"},
	{ruleCheckoutSettled, "order", "no checkout is open long after it expired"},
	{ruleOneShard, "order", "no order or checkout is on two shards"},
	{rulePlacement, "order", "what belongs to an order is on the shards that the ring assigns"},
	{ruleKeyPlacement, "key", "accounts, carts and sessions are on the shards that the ring assigns"},
	{ruleStockPlacement, "product", "stock is on the shards that the ring assigns"},
	{ruleBoughtOnce, "cart", "no version of a cart was bought twice"},
	{ruleOutboxFresh, "outbox", "no event has been waiting for delivery for long"},
	{ruleEventsOrder, "order", "the event store has every order once, with its total, and its cancellation"},
	{ruleEventsOwned, "event", "every order in the event store is on a shard"},
	{ruleAvailability, "product", "the catalogue shows the availability that the stock has"},
}

const (
	ruleStockBalance     = "stock-balance"
	ruleStockNegative    = "stock-not-negative"
	ruleOrderReserved    = "order-reserved"
	ruleReservationOwned = "reservation-owned"
	ruleFailedReleased   = "failed-released"
	ruleCancelledUndone  = "cancelled-undone"
	ruleOrderPaid        = "order-paid"
	ruleChargeOwned      = "charge-owned"
	ruleOrderTotals      = "order-totals"
	ruleCheckoutOrder    = "checkout-order"
	ruleCheckoutSettled  = "checkout-settled"
	ruleOneShard         = "one-shard"
	rulePlacement        = "placement"
	ruleKeyPlacement     = "key-placement"
	ruleStockPlacement   = "stock-placement"
	ruleBoughtOnce       = "bought-once"
	ruleOutboxFresh      = "outbox-fresh"
	ruleEventsOrder      = "events-order"
	ruleEventsOwned      = "events-owned"
	ruleAvailability     = "availability"
)

var subjectOf = func() map[string]string {
	m := map[string]string{}
	for _, r := range auditRules {
		m[r.name] = r.about
	}
	return m
}()

func (a *auditor) report(still []finding) AuditReport {
	r := AuditReport{OK: len(still) == 0, InFlight: a.flight}
	for _, rule := range auditRules {
		if rule.name == ruleAvailability && a.catalog == nil || (rule.name == ruleEventsOrder || rule.name == ruleEventsOwned) && a.o.Events == nil {
			continue
		}
		out := AuditRule{Name: rule.name, Description: rule.description, Checked: a.checked[rule.name],
			Violations: []AuditViolation{}}
		for _, f := range still {
			if f.rule != rule.name {
				continue
			}
			if out.Broken++; len(out.Violations) < maxViolations {
				out.Violations = append(out.Violations, AuditViolation{f.subject, f.detail})
			}
		}
		r.Rules = append(r.Rules, out)
	}
	return r
}

// WriteText writes the report for a terminal.
func (r AuditReport) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, rule := range r.Rules {
		verdict := "ok  "
		if rule.Broken > 0 {
			verdict = "FAIL"
		}
		fmt.Fprintf(&b, "%s %-18s %8d checked  %s\n", verdict, rule.Name, rule.Checked, rule.Description)
		for _, v := range rule.Violations {
			fmt.Fprintf(&b, "       %s: %s\n", v.Subject, v.Detail)
		}
		if more := rule.Broken - len(rule.Violations); more > 0 {
			fmt.Fprintf(&b, "       and %d more\n", more)
		}
	}
	var names []string
	for name := range r.InFlight {
		names = append(names, name)
	}
	slices.Sort(names)
	b.WriteString("in flight:")
	for _, name := range names {
		fmt.Fprintf(&b, " %s %d", name, r.InFlight[name])
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}
