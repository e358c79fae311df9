package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stampede-shop/stampede/internal/shop"
)

// racy are the unique indexes that statements look into before they insert, instead of ON CONFLICT.
var racy = []string{"reservations_pkey", "idempotency_keys_pkey", "checkouts_open", "checkouts_pkey"}

// rolledBack tells that the server undid the transaction and that running it again may well succeed: it was a victim of
// others, or a row came up that it had just seen was not there.
func rolledBack(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01" ||
		pg.Code == "23505" && slices.Contains(racy, pg.ConstraintName))
}

// refused tells that a batch of reservations was undone, since some have to be served one by one: too little of a product, or an
// order that has its line already.
func refused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "SR001" || pg.Code == "23505" && pg.ConstraintName == "reservations_pkey")
}

// unreachable tells that the database could not be asked, or that its answer was lost.
func unreachable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "53")
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// shardError is what callers see of a failure on a shard: shop.Errors as they are, what may pass as CodeUnavailable
// with the cause wrapped, anything else (a bug) as it is.
func shardError(node string, err error) error {
	var known *shop.Error
	var pg *pgconn.PgError
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case rolledBack(err), unreachable(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.As(err, &pg) && (pg.Code == "57014" || pg.Code == "55P03"):
		return &shop.Error{Code: shop.CodeUnavailable, Detail: "the shop is busy: try again in a moment",
			Err: &nodeError{node, err}}
	default:
		return &nodeError{node, err}
	}
}

// nodeError says on which shard something unexpected happened.
type nodeError struct {
	node string
	err  error
}

func (e *nodeError) Error() string { return e.node + ": " + e.err.Error() }
func (e *nodeError) Unwrap() error { return e.err }
