package predict

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"
)

// Errors of this package.
var (
	// ErrHistory means that a history cannot be read; the error names the file and the line.
	ErrHistory = errors.New("predict: bad history")
	// ErrOptions means that options make no sense.
	ErrOptions = errors.New("predict: bad options")
	// ErrModel means that a file is not a model, is damaged, or is of a version that is not known here.
	ErrModel = errors.New("predict: bad model")
	// ErrTooShort means that there is too little history for what was asked.
	ErrTooShort = errors.New("predict: too little history")
)

// Sale is one line of an invoice.
type Sale struct {
	Invoice  string // those that begin with C are cancellations
	Code     string // of the product
	Name     string // of the product; may be empty
	Quantity float64
	At       time.Time
	Price    float64 // of one unit; 0 when not known
}

// Sold tells whether the line counts as units sold: it is on an invoice that is not a cancellation, and takes nothing back.
func (s Sale) Sold() bool {
	return s.Quantity > 0 && s.Code != "" && !strings.HasPrefix(s.Invoice, "C")
}

// Source is where sales come from, in any order within an hour, hours in order. A sequence ends after its first error.
type Source interface {
	Sales(ctx context.Context) iter.Seq2[Sale, error]
}

// SourceFunc is a Source.
type SourceFunc func(ctx context.Context) iter.Seq2[Sale, error]

// Sales calls f.
func (f SourceFunc) Sales(ctx context.Context) iter.Seq2[Sale, error] { return f(ctx) }

// Sales is a Source of what is in memory.
type Sales []Sale

// Sales returns them in order.
func (list Sales) Sales(ctx context.Context) iter.Seq2[Sale, error] {
	return func(yield func(Sale, error) bool) {
		for _, s := range list {
			if err := ctx.Err(); err != nil {
				yield(Sale{}, err)
				return
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}
