package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

// ear is a test that hears complaints instead of failing.
type ear struct {
	testing.TB
	heard []string
}

func (e *ear) Errorf(format string, args ...any) {
	e.heard = append(e.heard, fmt.Sprintf(format, args...))
}
func (e *ear) Failed() bool { return false }

// What TestKilledBetweenAnyTwoSteps and the power cuts look for, they find: a diary and a shop that disagree in one way each.
func TestReconcileNoticesWhatDisagrees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	for name, c := range map[string]struct {
		point   string // the checkout dies here, and nobody settles it
		outcome string
		alter   func(d *diary, v *visitor, p shop.Product)
		want    string
	}{
		"all is well": {outcome: "approve"},
		"an order was told that is not": {outcome: "approve", want: "was told to be confirmed",
			alter: func(_ *diary, v *visitor, _ shop.Product) { v.heard[newID()] = true }},
		"an order was cancelled and stands": {outcome: "approve", want: "was told to be confirmed (and cancelled: true)",
			alter: func(_ *diary, v *visitor, _ shop.Product) { v.cancelling, v.cancelled = true, true }},
		"who was declined has an order": {outcome: "approve", want: "a shopper (decline) has 1 orders",
			alter: func(_ *diary, v *visitor, _ shop.Product) { v.outcome = "decline" }},
		"something else was bought": {outcome: "approve", want: "wanted was",
			alter: func(_ *diary, v *visitor, p shop.Product) { v.lines = map[int64]int64{p.ID: 7} }},
		"units are missing": {outcome: "decline", want: "are sold and 9 left", alter: func(_ *diary, _ *visitor, p shop.Product) {
			check(t, w.SetAvailable(ctx, "thief", p.ID, 9))
		}},
		"units were sold that the diary knows nothing of": {outcome: "approve", want: "are sold and", alter: func(d *diary, v *visitor, _ shop.Product) {
			delete(d.visitors, v.user)
		}},
		"money was taken for nothing": {outcome: "decline", want: "the charge of 500 is captured", alter: func(_ *diary, v *visitor, _ shop.Product) {
			v.orders = append(v.orders, newID())
			_, err := w.pay.Charge(ctx, v.orders[len(v.orders)-1], 500, "USD", shop.PaymentMethod{})
			check(t, err)
		}},
		"a checkout is still open": {outcome: "approve", point: "reserved", want: "is pending"},
		"paid, and not confirmed":  {outcome: "approve", point: "charged", want: "is \"pending\", and the charge"},
		"failed, and not undone":   {outcome: "decline", point: "failed", want: "0 are sold and"},
	} {
		t.Run(name, func(t *testing.T) {
			p, d := w.product(t, 10), newDiary()
			v := visit{w: w, write: d.write, outcomes: []string{c.outcome}, calm: true, crash: func(at string) {
				if at == c.point {
					panic(died{at})
				}
			}}
			_, _ = dying(func() string { check(t, v.run(ctx, newID(), []shop.Product{p})); return "" })
			me := d.all()[0]
			if c.point == "" {
				w.settle(t)
			}
			if c.alter != nil {
				c.alter(d, me, p)
			}
			e := &ear{TB: t}
			w.reconcile(e, d, []shop.Product{p}, 10)
			if text := strings.Join(e.heard, "\n"); !strings.Contains(text, c.want) || (c.want == "") != (text == "") {
				t.Errorf("expected %q, heard %q", c.want, text)
			}
			w.settle(t)
			for _, id := range me.orders { // and what settling does not mend
				if _, err := w.Order(ctx, me.user, id); err != nil {
					wantCode(t, err, shop.CodeNotFound)
					_, err = w.pay.Refund(ctx, id)
					check(t, err)
				}
			}
		})
	}
	w.clean(t)
}
