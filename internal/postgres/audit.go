package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stampede-shop/stampede/internal/shop"
)

// AuditOptions tune an audit; the zero value works.
type AuditOptions struct {
	// Settle is how long to wait before looking again at what seemed wrong. 0 means 2 s, negative not at all.
	Settle time.Duration
	// Patience bounds the time for which to go on looking while each look finds fewer wrong: a worker that is behind after a rush is
	// setting it right. 0 means a minute, negative one more look.
	Patience time.Duration
	// Grace is for how long after its last change a row may be waiting for the worker. 0 means 30 s, negative none.
	Grace time.Duration
	// OutboxAge is how old an undelivered event may be. 0 means 5 min.
	OutboxAge time.Duration
	// Page is how many orders, and how many products times 20, are looked at at once. 0 means 1000.
	Page int
	// Events are reconciled with the orders, too; nil: they are not.
	Events EventBooks
	// Timeout bounds the work on one page on one shard. 0 means 30 s.
	Timeout time.Duration
}

func (o *AuditOptions) setDefaults() {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
		*d = max(*d, 0)
	}
	set(&o.Settle, 2*time.Second)
	set(&o.Patience, time.Minute)
	set(&o.Grace, 30*time.Second)
	set(&o.OutboxAge, 5*time.Minute)
	set(&o.Timeout, 30*time.Second)
	if o.Page <= 0 {
		o.Page = 1000
	}
}

// CatalogueReader is what the audit reads of the catalogue; *Catalog is one.
type CatalogueReader interface {
	Products(ctx context.Context, ids []int64) ([]shop.Product, error)
}

// Audit reconciles stock, reservations, orders, payments and outbox over all shards, and, when catalog is not nil, the
// availability that the catalogue shows with the stock. The shop may be live: what is wrong in passing, because two
// shards cannot be read at one moment, is looked at again, as long as there is progress, and counts only if it stays wrong in the same way.
// It reads page by page and changes nothing.
func Audit(ctx context.Context, catalog CatalogueReader, shards *Shards, o AuditOptions) (AuditReport, error) {
	o.setDefaults()
	a := &auditor{s: shards, catalog: catalog, o: o, checked: map[string]int64{}, flight: map[string]int64{}}
	first, err := a.pass(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	still, err := a.settle(ctx, first)
	if err != nil {
		return AuditReport{}, err
	}
	a.flight["settling"] = int64(len(first) - len(still))
	return a.report(still), nil
}

// settle looks again at what seemed wrong, until a look finds no less of it than the one before; more often at what somebody may yet set right.
func (a *auditor) settle(ctx context.Context, first []finding) (still []finding, err error) {
	still = first
	began, idle := time.Now(), 0
	for len(still) > 0 {
		if a.o.Settle > 0 && !pause(ctx, a.o.Settle) {
			return nil, ctx.Err()
		}
		before := len(still)
		if still, err = a.again(ctx, still); err != nil {
			return nil, err
		}
		if idle++; len(still) < before {
			idle = 0
		}
		if late := slices.ContainsFunc(still, func(f finding) bool { return f.late }); idle > 0 && !late || idle >= looks || time.Since(began) > a.o.Patience {
			break
		}
	}
	return still, nil
}

// finding is a row that breaks a rule. Two findings are the same if the row broke it in the same way.
type finding struct {
	rule    string
	subject string // an order id, a product id, a shard
	detail  string
	late    bool // somebody may yet set it right: the worker, the event store
}

// looks are how many looks in a row may find no less of what somebody may yet set right: who was killed or stood still needs seconds to go on.
const looks = 5

// auditor carries one audit.
type auditor struct {
	s       *Shards
	catalog CatalogueReader
	o       AuditOptions
	checked map[string]int64 // by rule
	flight  map[string]int64
}

// pass looks at everything once.
func (a *auditor) pass(ctx context.Context) ([]finding, error) {
	var all []finding
	for _, part := range []func(context.Context) ([]finding, error){a.orders, a.stock, a.keys, a.outbox, a.twiceBought, a.eventsOwned} {
		found, err := part(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// again returns those findings that a second look confirms.
func (a *auditor) again(ctx context.Context, first []finding) ([]finding, error) {
	second := &auditor{s: a.s, catalog: a.catalog, o: a.o, checked: map[string]int64{}, flight: map[string]int64{}}
	now, err := second.lookAt(ctx, first)
	if err != nil {
		return nil, err
	}
	confirmed := map[finding]bool{}
	for _, f := range now {
		confirmed[f] = true
	}
	var still []finding
	for _, f := range first {
		if confirmed[f] {
			still = append(still, f)
		}
	}
	return still, nil
}

// lookAt checks again what the findings are about, and what cannot be asked for one by one as a whole.
func (a *auditor) lookAt(ctx context.Context, first []finding) (now []finding, err error) {
	orders, products, whole := map[string]bool{}, map[int64]bool{}, map[string]func(context.Context) ([]finding, error){}
	for _, f := range first {
		switch subjectOf[f.rule] {
		case "order":
			orders[f.subject] = true
		case "product":
			products[productOf(f.subject)] = true
		case "key":
			whole["key"] = a.keys
		case "outbox":
			whole["outbox"] = a.outbox
		case "cart":
			whole["cart"] = a.twiceBought
		case "event":
			whole["event"] = a.eventsOwned
		}
	}
	if now, err = a.ordersByID(ctx, orders); err != nil {
		return nil, err
	}
	found, err := a.stockByID(ctx, products)
	if err != nil {
		return nil, err
	}
	now = append(now, found...)
	for _, part := range whole {
		if found, err = part(ctx); err != nil {
			return nil, err
		}
		now = append(now, found...)
	}
	return now, nil
}

func (a *auditor) grace() pgtype.Interval { return interval(a.o.Grace) }

func interval(d time.Duration) pgtype.Interval {
	return pgtype.Interval{Microseconds: d.Microseconds(), Valid: true}
}
