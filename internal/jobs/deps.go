package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/shop"
)

// Checkouts settles and undoes checkouts: *shop.Checkouts.
type Checkouts interface {
	Recover(ctx context.Context, c shop.Checkout) error
	Undo(ctx context.Context, e shop.OrderEvent) error
	UndoCancelled(ctx context.Context, e shop.OrderEvent) error
}

// Stock commits reservations.
type Stock interface {
	Commit(ctx context.Context, orderID string, productIDs []int64) error
}

// Orders reads an order; shop.CodeNotFound when there is none.
type Orders interface {
	Order(ctx context.Context, userID, orderID string) (shop.Order, error)
}

// Users reads an account; shop.CodeNotFound for a guest.
type Users interface {
	User(ctx context.Context, id string) (shop.User, error)
}

// Carts reads a cart.
type Carts interface {
	Cart(ctx context.Context, userID string) (shop.Cart, error)
}

// Sweeps finds what was left behind; each call takes on up to limit of it from every shard.
type Sweeps interface {
	ExpiredCheckouts(ctx context.Context, limit int) ([]shop.Checkout, error)
	SweepReservations(ctx context.Context, limit int) (int, error)
	AbandonedCarts(ctx context.Context, idle time.Duration, limit int) (int, error)
	PurgeOldKeys(ctx context.Context, limit int) (int64, error)
}

// Catalog changes what shoppers are told about stock; levels that are not newer than the last do nothing. One that is a
// [FacetFolder] has its counts kept.
type Catalog interface {
	SetAvailability(ctx context.Context, productID int64, a shop.Availability, levelVersion int64) (changed bool, err error)
}

// Deps are what the jobs work with. All but Log, Registerer, Now, Periods, Mail and Events are required.
type Deps struct {
	JetStream jetstream.JetStream
	Checkouts Checkouts
	Stock     Stock
	Orders    Orders
	Users     Users
	Carts     Carts
	Sweeps    Sweeps
	Catalog   Catalog
	// Purge drops what carries one of the tags from every cache, in every process. What is read afterwards has seen the catalogue's
	// log up to each of positions; an empty one is not known, and means up to now.
	Purge func(ctx context.Context, tags, positions []string) error
	// Mail says how mail leaves. With neither an SMTP server nor a folder none is sent, and its events wait.
	Mail    MailOptions
	Periods Periods
	// Events is told of orders, failed checkouts and abandoned carts; nil: nobody is.
	Events interface {
		Add(ctx context.Context, events []analytics.Event) error
	}

	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil: no metrics
	Now        func() time.Time      // nil: time.Now

	// Observe is told how long each message took, by the consumer's name; it must be quick. nil: nobody wants to know.
	Observe func(consumer string, took time.Duration, err error)
}

// Periods are how often the regular jobs run. Zero means the default.
type Periods struct {
	Recover      time.Duration // expired checkouts; 2 s
	Reservations time.Duration // expired reservations; 5 s
	Abandoned    time.Duration // carts left alone; 1 min
	CartIdle     time.Duration // after how long a cart counts as left alone; 1 h
	Purge        time.Duration // old keys and sessions; 1 h
	Facets       time.Duration // counts of products; 1 s
}

func (p Periods) withDefaults() Periods {
	for _, d := range []struct {
		field *time.Duration
		def   time.Duration
	}{
		{&p.Recover, 2 * time.Second}, {&p.Reservations, 5 * time.Second}, {&p.Abandoned, time.Minute},
		{&p.CartIdle, time.Hour}, {&p.Purge, time.Hour}, {&p.Facets, time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.def
		}
	}
	return p
}

func (d Deps) check() error {
	var errs []error
	for _, dep := range []struct {
		name string
		have bool
	}{
		{"JetStream", d.JetStream != nil}, {"Checkouts", d.Checkouts != nil}, {"Stock", d.Stock != nil},
		{"Orders", d.Orders != nil}, {"Users", d.Users != nil}, {"Carts", d.Carts != nil}, {"Sweeps", d.Sweeps != nil},
		{"Catalog", d.Catalog != nil}, {"Purge", d.Purge != nil},
	} {
		if !dep.have {
			errs = append(errs, errors.New("jobs: Deps."+dep.name+" is missing"))
		}
	}
	return errors.Join(errs...)
}
