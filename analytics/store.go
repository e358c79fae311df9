package analytics

import (
	"context"
	"errors"
	"io"
	"time"
)

// Place is how far a stream has been stored: Sequence in this incarnation of it. The zero Place is before everything.
type Place struct {
	Stream   string
	Sequence uint64
}

// Store keeps events. Append is called by one goroutine at a time; the rest is safe for concurrent use.
type Store interface {
	// Place is what the last Append that succeeded was given.
	Place(ctx context.Context) (Place, error)
	// Append stores the events and the place together: after a crash both are there or neither. So it is after an error, of which a store
	// over a network may not know which: the same Append again stores nothing twice.
	Append(ctx context.Context, batches []*Batch, at Place) error
	// Stored returns those of ids that are stored with a time from from to to.
	Stored(ctx context.Context, ids []ID, from, to time.Time) ([]ID, error)
	// ReceivedSince calls f with the ids of all events received since then, but of no more than about limit, the newest; the slice is f's
	// only until it returns.
	ReceivedSince(ctx context.Context, since time.Time, limit int, f func([]ID)) error
	// Recent calls f with at most limit of the newest events since then; the batch is f's only until it returns.
	Recent(ctx context.Context, since time.Time, limit int, f func(*Batch)) error
	// Query runs one SELECT over the view "events". It reaches no file and no network, and changes nothing: ErrNotRead otherwise.
	Query(ctx context.Context, sql string, o QueryOptions) (*Result, error)
	// Export writes what one SELECT yields.
	Export(ctx context.Context, w io.Writer, sql string, format Format) error
	// Maintain compacts and forgets what is old enough, and is to be called every few minutes.
	Maintain(ctx context.Context, now time.Time) error
	// Stats are sizes.
	Stats(ctx context.Context) (StoreStats, error)
	// Close is safe to call again.
	Close() error
}

// ErrDisplaced says that another process has written to the store since this one opened it. What is to be stored may be there: it takes
// opening the store anew, and going on from the place that it tells.
var ErrDisplaced = errors.New("analytics: another process writes to this store: start anew, and see to it that only one ingests")

// ErrNotRead says that SQL is not a single reading statement.
var ErrNotRead = errors.New("analytics: only a single SELECT (or EXPLAIN of one) is run here")

// QueryOptions bound a query. The zero value works.
type QueryOptions struct {
	MaxRows int           // of the result; default 10,000
	Timeout time.Duration // default 30 s
}

// WithDefaults fills in what is zero.
func (o QueryOptions) WithDefaults() QueryOptions {
	o.MaxRows, o.Timeout = orDefault(o.MaxRows, 10_000), orDefault(o.Timeout, 30*time.Second)
	return o
}

// Result is a table. Values are what encoding/json can write.
type Result struct {
	Columns []string `json:"columns"`
	Types   []string `json:"types"`
	Rows    [][]any  `json:"rows"`
	More    bool     `json:"more,omitempty"` // MaxRows cut it off
}

// Format of an export.
type Format string

// Formats of exports.
const (
	Parquet Format = "parquet"
	CSV     Format = "csv"
	JSON    Format = "json" // an object a line
)

// StoreStats are sizes of a store.
type StoreStats struct {
	Events int64     `json:"events"`
	Files  int64     `json:"files"` // compacted
	Bytes  int64     `json:"bytes"`
	Since  time.Time `json:"since"` // when it was made: what happened before is not in it
}
