package postgres

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/propagation"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

// CatalogOptions tune a Catalog; the zero value works.
type CatalogOptions struct {
	// ReadTimeout bounds one read, all its statements together. Default 2 s.
	ReadTimeout time.Duration
	// WriteTimeout bounds one write. Default 5 s.
	WriteTimeout time.Duration
	// BatchTimeout bounds one batch of an import, its seeding of stock included. Default 2 min.
	BatchTimeout time.Duration
	// OnCommit hears the position of each committed write, so that others can be told to wait for it. May be nil.
	OnCommit func(ctx context.Context, at replica.LSN)
	// Logger hears what is not worth failing a call for; nil discards.
	Logger *slog.Logger
}

// Catalog is the catalogue database: it reads from replicas that have seen this process's last write, and writes on the
// primary, each write with its outbox row in one transaction. It implements shop.ProductReader and shop.ProductWriter
// and is safe for concurrent use. The Set is borrowed.
type Catalog struct {
	set    *replica.Set
	o      CatalogOptions
	bounds listBounds
}

var (
	_ shop.ProductReader = (*Catalog)(nil)
	_ shop.ProductWriter = (*Catalog)(nil)
)

// NewCatalog makes a Catalog over set.
func NewCatalog(set *replica.Set, o CatalogOptions) *Catalog {
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = 2 * time.Second
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = 5 * time.Second
	}
	if o.BatchTimeout <= 0 {
		o.BatchTimeout = 2 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Catalog{set: set, o: o, bounds: usualBounds}
}

// Ping tells whether the catalogue can be read.
func (c *Catalog) Ping(ctx context.Context) error {
	return c.read(ctx, func(ctx context.Context, db replica.Reader) error {
		var one int
		return db.QueryRow(ctx, "SELECT 1").Scan(&one)
	})
}

// read runs fn on a node that has seen this process's and this session's writes, and reports its time.
func (c *Catalog) read(ctx context.Context, fn func(ctx context.Context, db replica.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.ReadTimeout)
	defer cancel()
	return catError(c.set.View(ctx, func(ctx context.Context, db replica.Reader) error {
		start := time.Now()
		err := fn(ctx, db)
		shop.Observe(ctx, "db", db.Node(), time.Since(start))
		return err
	}))
}

// write runs fn in a transaction on the primary, waiting for one during a failover, then makes this process's and this
// session's reads wait for it. fn may run more than once.
func (c *Catalog) write(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx, q *catalogdb.Queries) error) error {
	wctx, cancel := context.WithTimeout(ctx, c.o.WriteTimeout)
	defer cancel()
	start := time.Now()
	err := c.commit(wctx, func(ctx context.Context, tx pgx.Tx) error { return fn(ctx, tx, catalogdb.New(tx)) })
	shop.Observe(ctx, "db", replica.PrimaryName, time.Since(start))
	return catError(err)
}

// commit is replica.Set.Write with the news of its position to all who have to wait for it.
func (c *Catalog) commit(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	wctx, wrote := replica.WithCollector(ctx)
	if err := c.set.Write(wctx, fn); err != nil {
		return err
	}
	at := wrote.Token().LSN(c.set.Name())
	replica.CollectorFrom(ctx).Record(c.set.Name(), at)
	if at == replica.MaxLSN {
		c.committed(ctx)
		return nil
	}
	c.require(ctx, at)
	return nil
}

// committed is for commits whose position is not known yet. They stand even if it cannot be learnt; then reads of this
// process may lag behind them for as long as the replicas do.
func (c *Catalog) committed(ctx context.Context) {
	lctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.o.ReadTimeout)
	defer cancel()
	at, err := c.set.CommitLSN(lctx)
	if err != nil {
		c.o.Logger.WarnContext(ctx, "commit position unknown; reads may be stale for a moment", "error", err)
		return
	}
	c.require(ctx, at)
}

func (c *Catalog) require(ctx context.Context, at replica.LSN) {
	c.set.Require(at)
	if c.o.OnCommit != nil {
		c.o.OnCommit(ctx, at)
	}
}

// catError gives errors of the database a code: what is worth asking again for, what the input caused, the rest internal.
func catError(err error) error {
	var known *shop.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	var full *replica.Overload
	switch {
	case errors.As(err, &full):
		return &shop.Error{Code: shop.CodeUnavailable, RetryAfter: full.RetryAfter, Err: err,
			Detail: "the catalogue is very busy: try again in a moment"}
	case errors.Is(err, replica.ErrUnknown):
		return &shop.Error{Code: shop.CodeUnavailable, RetryAfter: time.Second, Err: err,
			Detail: "the change was sent, but its answer was lost: it may have been made. Look before you repeat it"}
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		if unreachable(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, replica.ErrNoPrimary) {
			return catUnavailable(err)
		}
		return err // the caller gave up, or a bug
	}
	switch {
	case pg.Code == "23505" && pg.ConstraintName == "products_sku":
		return &shop.Error{Code: shop.CodeSKUTaken, Detail: "another product has this SKU: choose another or edit that product", Err: err}
	case pg.Code == "22P02" || pg.Code == "22P05" || pg.Code == "22003" || pg.Code == "54001":
		return &shop.Error{Code: shop.CodeInvalid, Detail: "attributes: PostgreSQL cannot store this JSON", Err: err,
			Fields: []shop.FieldError{{Field: "attributes", Message: "cannot be stored: check numbers, escapes and nesting"}}}
	case strings.HasPrefix(pg.Code, "08"), strings.HasPrefix(pg.Code, "53"), strings.HasPrefix(pg.Code, "57"),
		strings.HasPrefix(pg.Code, "40"), pg.Code == "25006":
		return catUnavailable(err)
	}
	return &shop.Error{Code: shop.CodeInternal, Detail: "the catalogue failed", Err: err}
}

func catUnavailable(err error) error {
	return &shop.Error{Code: shop.CodeUnavailable, Detail: "the catalogue cannot be reached: try again in a moment", Err: err}
}

// catTrace is the W3C trace context of ctx for an outbox row, "" without a span.
func catTrace(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}
