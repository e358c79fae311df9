package postgres

import (
	"fmt"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// judgement applies the rules about orders to one dossier.
type judgement struct {
	d       *dossier
	checked map[string]int64
	found   []finding
	later   []finding // wrong only if nobody is about to set it right
}

func (j *judgement) say(rule, format string, args ...any) {
	j.found = append(j.found, finding{rule: rule, subject: j.d.id, detail: fmt.Sprintf(format, args...)})
}

func (j *judgement) await(rule, format string, args ...any) {
	j.later = append(j.later, finding{rule: rule, subject: j.d.id, detail: fmt.Sprintf(format, args...), late: true})
}

// places checks that each row is where the ring wants it, and that nothing is in two places.
func (j *judgement) places(c *shard.Cluster) {
	belongs := func(what, key, node string) {
		j.checked[rulePlacement]++
		if owner, err := c.Locate(key); err != nil || owner != node {
			j.say(rulePlacement, "%s is on %s, belongs to %s", what, node, owner)
		}
	}
	j.checked[ruleOneShard]++
	if n := max(len(j.d.checkouts), len(j.d.orders), len(j.d.payments), len(j.d.charges)); n > 1 {
		j.say(ruleOneShard, "is on %d shards", n)
	}
	for _, r := range j.d.checkouts {
		belongs("the checkout", r.row.UserID, r.node)
	}
	for _, r := range j.d.orders {
		belongs("the order", r.row.UserID, r.node)
	}
	for _, r := range j.d.payments {
		belongs("the payment", r.row.UserID, r.node)
	}
	for _, r := range j.d.charges {
		belongs("the charge", r.row.Key, r.node)
	}
	for _, r := range j.d.reservations {
		belongs(fmt.Sprintf("the reservation of product %d", r.row.ProductID), shop.ProductKey(r.row.ProductID), r.node)
	}
}

// records checks that the order's own rows agree with one another.
func (j *judgement) records() {
	confirmed := false
	for _, c := range j.d.checkouts {
		confirmed = confirmed || c.row.State == string(shop.CheckoutConfirmed)
	}
	j.checked[ruleCheckoutOrder]++
	if confirmed != (len(j.d.orders) > 0) {
		j.say(ruleCheckoutOrder, "the checkout is confirmed: %t; there is an order: %t", confirmed, len(j.d.orders) > 0)
	}
	for _, o := range j.d.orders {
		j.checked[ruleOrderTotals]++
		lines, err := items(o.row.Items)
		if err != nil {
			j.say(ruleOrderTotals, "%v", err)
			continue
		}
		var sum int64
		for _, l := range lines {
			sum += l.Quantity * l.UnitPrice
		}
		if len(lines) == 0 || o.row.Subtotal != sum || o.row.Total != sum {
			j.say(ruleOrderTotals, "%d lines come to %d, subtotal is %d, total %d", len(lines), sum, o.row.Subtotal, o.row.Total)
		}
		for _, c := range j.d.checkouts {
			if c.row.Total != o.row.Total {
				j.say(ruleOrderTotals, "the checkout was over %d, the order is over %d", c.row.Total, o.row.Total)
			}
		}
	}
}

// confirmed checks an order that stands: its units are sold, its money is there.
func (j *judgement) confirmed() {
	if len(j.d.orders) == 0 {
		return // records has said so
	}
	o := j.d.orders[0].row
	lines, _ := items(o.Items)
	want := map[int64]int64{}
	for _, l := range lines {
		want[l.ProductID] += l.Quantity
	}
	j.checked[ruleOrderReserved]++
	for _, r := range j.d.reservations {
		j.checked[ruleReservationOwned]++
		id := r.row.ProductID
		switch {
		case want[id] == 0:
			j.say(ruleReservationOwned, "the order has no line of product %d, %d are %s", id, r.row.Quantity, r.row.State)
		case r.row.Quantity != want[id]:
			j.say(ruleOrderReserved, "%d of product %d are bought, %d %s", want[id], id, r.row.Quantity, r.row.State)
		case r.row.State == "held":
			j.await(ruleOrderReserved, "product %d is held, not committed", id)
		case r.row.State != "committed":
			j.say(ruleOrderReserved, "product %d is %s", id, r.row.State)
		}
		delete(want, id)
	}
	for id, n := range want {
		j.say(ruleOrderReserved, "%d of product %d are bought, none reserved", n, id)
	}
	j.paid(o)
}

func (j *judgement) paid(o sharddb.AuditOrdersRow) {
	j.checked[ruleOrderPaid]++
	if len(j.d.payments) != 1 || j.d.payments[0].row.Amount != o.Total || j.d.payments[0].row.Status != "captured" {
		j.say(ruleOrderPaid, "wants one captured payment of %d, has %v", o.Total, amounts(j.d.payments, func(p sharddb.AuditPaymentsRow) (int64, string) { return p.Amount, p.Status }))
	}
	for range j.d.charges {
		j.checked[ruleChargeOwned]++
	}
	if len(j.d.payments) == 1 && j.d.payments[0].row.Provider != testProvider && len(j.d.charges) == 0 {
		return // its ledger is not ours to read
	}
	if len(j.d.charges) != 1 || j.d.charges[0].row.Amount != o.Total || j.d.charges[0].row.Currency != o.Currency ||
		j.d.charges[0].row.Status != string(shop.ChargeCaptured) {
		j.say(ruleOrderPaid, "wants one captured charge of %d, has %v", o.Total, amounts(j.d.charges, func(c sharddb.AuditChargesRow) (int64, string) { return c.Amount, c.Status }))
	}
}

func amounts[T any](rows []on[T], of func(T) (int64, string)) []string {
	out := []string{}
	for _, r := range rows {
		n, status := of(r.row)
		out = append(out, fmt.Sprintf("%d %s", n, status))
	}
	return out
}

// givenBack checks an order or a checkout that is over: no units, no money. A charge must have the given status; with
// none given it must only not be captured, and need not be.
func (j *judgement) givenBack(rule, state, charge string) {
	j.checked[rule]++
	for _, r := range j.d.reservations {
		j.checked[ruleReservationOwned]++
		switch {
		case r.row.State == "held" && state == "released", r.row.State != "released" && r.row.State != state && state == "returned":
			j.await(rule, "product %d is %s", r.row.ProductID, r.row.State)
		case r.row.State != state:
			j.say(rule, "product %d is %s", r.row.ProductID, r.row.State)
		}
	}
	if charge != "" && len(j.d.charges) == 0 {
		j.say(rule, "there is no charge that was %s", charge)
	}
	for _, c := range j.d.charges {
		j.checked[ruleChargeOwned]++
		if c.row.Status == string(shop.ChargeCaptured) || (charge != "" && c.row.Status != charge) {
			j.await(rule, "the charge of %d is %s", c.row.Amount, c.row.Status)
		}
	}
}

// ownerless checks what no checkout and no order speaks for: an id that the buyer's shard never saw or has forgotten.
func (j *judgement) ownerless() {
	for _, r := range j.d.reservations {
		j.checked[ruleReservationOwned]++
		switch {
		case r.row.State == "committed", r.row.State == "held" && r.row.Overdue && !r.row.Young:
			j.say(ruleReservationOwned, "%d of product %d are %s for an order that does not exist", r.row.Quantity, r.row.ProductID, r.row.State)
		}
	}
	for _, c := range j.d.charges {
		j.checked[ruleChargeOwned]++
		if c.row.Status == string(shop.ChargeCaptured) {
			j.say(ruleChargeOwned, "%d were captured for an order that does not exist", c.row.Amount)
		}
	}
	for _, p := range j.d.payments {
		j.say(ruleOrderPaid, "%d were paid for an order that does not exist", p.row.Amount)
	}
}
