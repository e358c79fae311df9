package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// sagaAsks is after how many requests for a checkout `make test` has seen enough.
const sagaAsks = 60

// Whatever shoppers, administrators and workers do one after the other, and wherever processes die in it: what is answered, and what
// the shop then shows, is what a model of the promises allows; in the end everything is settled and the books are clean.
func TestSagaFollowsItsModel(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"plain", "batched"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			reached := map[string]int{}
			localtest.Rounds(t, 1, func(n int) {
				t.Run(fmt.Sprint(n), func(t *testing.T) { // the audit reads all there is: a long run begins anew now and then
					w := newWorld(t)
					if way == "batched" {
						w.batch(t, postgres.BatchedOptions{})
					}
					checkSagaFollowsItsModel(t, w, reached)
				})
			})
			t.Logf("points passed: %v", reached)
			for _, point := range shop.CrashPoints {
				if localtest.Soaking(t) > 0 && reached[point] == 0 {
					t.Errorf("no checkout ever came to %q", point)
				}
			}
		})
	}
}

func checkSagaFollowsItsModel(t *testing.T, w *world, reached map[string]int) {
	asks, failed := 0, false
	rapid.Check(t, func(rt *rapid.T) {
		if asks > sagaAsks && !failed && localtest.Soaking(t) == 0 {
			return
		}
		c := &clerk{world: w, pay: w.pay, reached: reached, fatalf: func(format string, args ...any) {
			failed = true
			rt.Fatalf(format, args...)
		}}
		c.run(t, rt)
		asks += len(c.asked[0]) + len(c.asked[1])
	})
	w.clean(t)
}

// run does things at random, then settles everything.
func (c *clerk) run(t testing.TB, rt *rapid.T) {
	c.later = rapid.Bool().Draw(rt, "commit later")
	c.setUp(t.Context(), units{3, 2, 4})
	good, shopper := rapid.IntRange(0, goods-1), rapid.IntRange(0, shoppers-1)
	rt.Repeat(map[string]func(*rapid.T){
		"add": func(rt *rapid.T) {
			c.add(t.Context(), shopper.Draw(rt, "shopper"), good.Draw(rt, "good"), rapid.Int64Range(1, 2).Draw(rt, "units"), rapid.Bool().Draw(rt, "twice"))
		},
		"remove": func(rt *rapid.T) { c.remove(t.Context(), shopper.Draw(rt, "shopper"), good.Draw(rt, "good")) },
		"reprice": func(rt *rapid.T) {
			c.reprice(t.Context(), good.Draw(rt, "good"), rapid.Int64Range(99, 101).Draw(rt, "price"))
		},
		"stock": func(rt *rapid.T) {
			c.restock(t.Context(), good.Draw(rt, "good"), rapid.Int64Range(0, 4).Draw(rt, "units"))
		},
		"buy":         func(rt *rapid.T) { c.visit(rt, shopper.Draw(rt, "shopper"), "") },
		"buy, dying":  func(rt *rapid.T) { c.visit(rt, shopper.Draw(rt, "shopper"), drawPoint(rt)) },
		"again":       func(rt *rapid.T) { c.again(rt, shopper.Draw(rt, "shopper"), "") },
		"again,dying": func(rt *rapid.T) { c.again(rt, shopper.Draw(rt, "shopper"), drawPoint(rt)) },
		"cancel": func(rt *rapid.T) {
			c.cancel(rt, shopper.Draw(rt, "shopper"), rapid.SampledFrom([]string{"", "cancelled", "refunded"}).Draw(rt, "die at"))
		},
		"time passes": func(rt *rapid.T) { c.timePasses(t) },
		"recover":     func(rt *rapid.T) { c.recoverAll(t.Context(), "") },
		"recover,dying": func(rt *rapid.T) {
			c.timePasses(t)
			c.recoverAll(t.Context(), drawPoint(rt))
		},
		"events": func(rt *rapid.T) { c.drainAll(t, rapid.Bool().Draw(rt, "twice")) },
		"sweep":  func(rt *rapid.T) { c.sweep(t) },
	})
	c.finish(t)
}

func drawPoint(rt *rapid.T) string { return rapid.SampledFrom(shop.CrashPoints).Draw(rt, "die at") }

func (c *clerk) add(ctx context.Context, i, g int, n int64, twice bool) {
	op := newID()
	edit := func() string {
		_, err := c.AddLine(ctx, c.users[i], op, shop.LineOf(c.products[g], n), "USD")
		return string(shop.CodeOf(err))
	}
	c.do(ctx, i, "add", edit, func(p *play) string { return p.add(g, n) })
	if twice {
		c.do(ctx, i, "add the same once more", edit, func(*play) string { return "" })
	}
}

func (c *clerk) remove(ctx context.Context, i, g int) {
	c.do(ctx, i, "remove", func() string {
		_, err := c.SetQuantity(ctx, c.users[i], newID(), c.products[g].ID, 0)
		return string(shop.CodeOf(err))
	}, func(p *play) string { return p.remove(g) })
}

func (c *clerk) reprice(ctx context.Context, g int, price int64) {
	c.do(ctx, 0, "reprice", func() string {
		c.products[g].Price = price
		c.world.products.put(c.products[g])
		return ""
	}, func(p *play) string {
		p.price[g] = price
		return ""
	})
}

func (c *clerk) restock(ctx context.Context, g int, n int64) {
	c.do(ctx, 0, "stock", func() string {
		return string(shop.CodeOf(c.SetAvailable(ctx, "model", c.products[g].ID, n)))
	}, func(p *play) string {
		p.left[g] = n
		return ""
	})
}

// visit asks for a checkout, mostly with something in the cart.
func (c *clerk) visit(rt *rapid.T, i int, point string) {
	if c.may[0].who[i].cart == (units{}) && rapid.IntRange(0, 3).Draw(rt, "empty") > 0 {
		c.add(rt.Context(), i, rapid.IntRange(0, goods-1).Draw(rt, "good"), rapid.Int64Range(1, 2).Draw(rt, "units"), false)
	}
	outcomes := []string{"approve", "approve", "decline", "timeout", "late"}
	switch point { // where there is a chance to get there
	case "failed", "refunded", "compensated":
		outcomes = []string{"decline", "decline", "approve"}
	case "unknown":
		outcomes = []string{"timeout", "late"}
	}
	c.ask(rt.Context(), i, point, request{key: rapid.IntRange(-1, keysEach-1).Draw(rt, "key"), arrived: rapid.Bool().Draw(rt, "arrived"),
		outcome: rapid.SampledFrom(outcomes).Draw(rt, "outcome")})
}

// again repeats an earlier request, or an altered one under the same key.
func (c *clerk) again(rt *rapid.T, i int, point string) {
	if len(c.asked[i]) == 0 {
		rt.Skip("nothing was asked for yet")
	}
	q := rapid.SampledFrom(c.asked[i]).Draw(rt, "request")
	if rapid.IntRange(0, 4).Draw(rt, "altered") == 0 {
		q.outcome = "decline"
	}
	c.ask(rt.Context(), i, point, q)
}

func (c *clerk) ask(ctx context.Context, i int, point string, q request) {
	c.asked[i] = append(c.asked[i], q)
	req := paying(c.users[i], q.outcome)
	if !q.arrived {
		req.ArrivedAt = time.Time{}
	}
	if q.key >= 0 {
		req.Key = shop.CheckoutKey{Key: fmt.Sprint("key ", q.key), Hash: []byte(q.body())}
	}
	c.do(ctx, i, fmt.Sprintf("%+v", q), func() string {
		r, err := c.saga(point).Run(ctx, req)
		return c.told(r.Order, err)
	}, func(p *play) string { return p.ask(q) })
}

func (c *clerk) cancel(rt *rapid.T, i int, point string) {
	deals := c.may[0].who[i].deals
	if len(deals) == 0 {
		rt.Skip("there is nothing to cancel")
	}
	if stand := slices.DeleteFunc(slices.Clone(deals), func(d deal) bool { return d.state != dealConfirmed }); len(stand) > 0 {
		deals = stand
	}
	order := rapid.SampledFrom(deals).Draw(rt, "order").order
	ctx := rt.Context()
	c.do(ctx, i, "cancel "+order, func() string {
		return c.told(c.saga(point).Cancel(ctx, c.users[i], c.idOf(order)))
	}, func(p *play) string { return p.cancel(order) })
}

// timePasses makes everything that is open old enough for the worker.
func (c *clerk) timePasses(t testing.TB) {
	c.expire(t)
	for i := range c.users {
		c.do(t.Context(), i, "time passes", func() string { return "" }, func(p *play) string {
			if d := p.current(); d != nil {
				d.expired = true
			}
			return ""
		})
	}
}

// recoverAll is the worker's look at open checkouts: those that it is told of are those that expired.
func (c *clerk) recoverAll(ctx context.Context, point string) {
	expired, err := c.ExpiredCheckouts(ctx, 1000)
	c.must(err)
	s := c.saga(point)
	for i, user := range c.users {
		at := slices.IndexFunc(expired, func(co shop.Checkout) bool { return co.UserID == user })
		c.do(ctx, i, "recover", func() string {
			if at < 0 {
				return "nothing to do"
			}
			c.must(s.Recover(ctx, expired[at]))
			return ""
		}, func(p *play) string {
			if d := p.current(); d != nil && d.expired {
				return p.recovered(d.order)
			}
			return "nothing to do"
		})
	}
}

// drainAll has the worker handle all events, or each of them twice.
func (c *clerk) drainAll(t testing.TB, twice bool) {
	events := c.events(t)
	if twice {
		events = append(events, events...)
	}
	for _, e := range events {
		var about shop.OrderEvent
		c.must(json.Unmarshal(e.Payload, &about))
		i := slices.Index(c.users[:], about.UserID)
		if i < 0 {
			continue // stock levels, and what earlier runs left
		}
		s := c.saga("")
		c.do(t.Context(), i, e.Topic, func() string {
			if e.Topic != c.deaf {
				c.must(c.handle(t.Context(), s, e))
			}
			return ""
		}, func(p *play) string {
			p.handled(e.Topic, c.name(about.OrderID))
			return ""
		})
	}
}

// sweep settles reservations that nobody settled: those of failed checkouts go back.
func (c *clerk) sweep(t testing.TB) {
	c.timePasses(t)
	_, err := c.SweepReservations(t.Context(), 1000)
	c.must(err)
	c.do(t.Context(), 0, "sweep", func() string { return "" }, func(p *play) string {
		for i := range p.who {
			for j := range p.who[i].deals {
				if d := &p.who[i].deals[j]; d.failed() {
					p.release(d)
				}
			}
		}
		return ""
	})
}

// finish settles everything and looks at all there is: orders, stock, money, the audit.
func (c *clerk) finish(t testing.TB) {
	c.timePasses(t)
	c.recoverAll(t.Context(), "")
	c.drainAll(t, false)
	c.sweep(t)
	for i := range c.users {
		c.do(t.Context(), i, "the end", func() string { return "" }, func(*play) string { return "" })
	}
	for _, id := range c.made {
		c.settled(t.Context(), id)
	}
	c.audited(t)
}

// settled asks the provider about an order: money moved for those that stand, and for no others.
func (c *clerk) settled(ctx context.Context, id string) {
	ch, err := c.pay.Settle(ctx, id)
	c.must(err)
	for _, s := range c.may {
		want, total := "cancelled", ch.Amount
		for _, me := range s.who {
			for _, d := range me.deals {
				if d.order == c.name(id) {
					want, total = d.money, d.total
				}
			}
		}
		if string(ch.Status) == want && (want != "captured" || ch.Amount == total) {
			return
		}
	}
	c.fatalf("the charge for %s is %s (%d), which no way of how the shop may stand explains: %+v", c.name(id), ch.Status, ch.Amount, c.may)
}

// audited looks for violations by what this run did; what failing runs left is not its own.
func (c *clerk) audited(t testing.TB) {
	report, err := postgres.Audit(t.Context(), nil, c.Shards, strict)
	c.must(err)
	for _, r := range report.Rules {
		for _, v := range r.Violations {
			if c.names[v.Subject] != "" || slices.ContainsFunc(c.products[:], func(p shop.Product) bool { return v.Subject == shop.ProductKey(p.ID) }) {
				c.fatalf("audit: %s: %s: %s", r.Name, c.names[v.Subject], v.Detail)
			}
		}
	}
}
