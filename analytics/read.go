package analytics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// ReadOptions tune [ReadJSON]. The zero value works.
type ReadOptions struct {
	Now func() time.Time // nil: time.Now
	// An event may be so much ahead of Now: clocks differ. What is more than Skew ahead is taken to be of now. Default 15 and 1 min.
	MaxAhead, Skew time.Duration
	// MaxLate is how old an event may be: clients keep some while they are offline. Default 7 days.
	MaxLate time.Duration
	// MaxEvents bounds the events of one body; default 10,000.
	MaxEvents int
	Source    string // of events that name none
	Shopper   uint64 // of every event; 0: as each says
}

func (o ReadOptions) withDefaults() ReadOptions {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.MaxAhead, o.Skew, o.MaxLate = orDefault(o.MaxAhead, 15*time.Minute), orDefault(o.Skew, time.Minute), orDefault(o.MaxLate, 7*24*time.Hour)
	o.MaxEvents = orDefault(o.MaxEvents, 10_000)
	return o
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// EventError says which event of a body is wrong, counted from 0, and how.
type EventError struct {
	Index  int
	Fields []FieldError // empty: it cannot be read at all
	Err    error
}

func (e *EventError) Error() string { return fmt.Sprintf("event %d: %v", e.Index, e.Err) }

// Unwrap returns the cause.
func (e *EventError) Unwrap() error { return e.Err }

// ErrNoEvents says that a body has none.
var ErrNoEvents = errors.New("analytics: the body has no events: send a JSON array of objects, or one object a line")

// wireEvent is an event as clients write it.
type wireEvent struct {
	ID         string          `json:"id"`
	Time       json.RawMessage `json:"time"`
	Kind       string          `json:"kind"`
	Shopper    string          `json:"shopper"`
	Product    int64           `json:"product"`
	ProductID  int64           `json:"product_id"` // the same, as the rest of the API calls it
	Category   string          `json:"category"`
	Query      string          `json:"query"`
	Quantity   int32           `json:"quantity"`
	Amount     int64           `json:"amount"`
	Currency   string          `json:"currency"`
	Source     string          `json:"source"`
	Attributes json.RawMessage `json:"attributes"`
}

// ReadJSON reads events that clients report: a JSON array of objects, or objects one after the other (NDJSON). All are right, or the
// error is an *EventError for the first that is not; ErrNoEvents when there are none.
func ReadJSON(body []byte, o ReadOptions) ([]Event, error) {
	o = o.withDefaults()
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	array := len(trimmed) > 0 && trimmed[0] == '['
	if array {
		_, _ = dec.Token() // cannot fail: it is there
	}
	now := o.Now()
	events := make([]Event, 0, len(body)/200+1)
	for !array || dec.More() {
		var w wireEvent
		err := dec.Decode(&w)
		if !array && errors.Is(err, io.EOF) {
			break
		}
		if err == nil && len(events) == o.MaxEvents {
			err = fmt.Errorf("at most %d are taken at once: send the rest in another request", o.MaxEvents)
		}
		if err != nil {
			return nil, &EventError{Index: len(events), Err: unreadable(err)}
		}
		e, err := w.event(o, now)
		if err != nil {
			return nil, wrong(len(events), err)
		}
		events = append(events, e)
	}
	if array {
		if _, err := dec.Token(); err != nil {
			return nil, &EventError{Index: len(events), Err: errors.New("the array does not end")}
		}
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			return nil, &EventError{Index: len(events), Err: errors.New("there is something after the array")}
		}
	}
	if len(events) == 0 {
		return nil, ErrNoEvents
	}
	return events, nil
}

func unreadable(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("it ends too early")
	}
	return err
}

func wrong(i int, err error) error {
	out := &EventError{Index: i, Err: err}
	var walk func(error)
	walk = func(err error) {
		var f *FieldError
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range many.Unwrap() {
				walk(one)
			}
		} else if errors.As(err, &f) {
			out.Fields = append(out.Fields, *f)
		}
	}
	walk(err)
	return out
}

// event checks what a client wrote.
func (w *wireEvent) event(o ReadOptions, now time.Time) (Event, error) {
	kind, ok := ParseKind(w.Kind)
	switch {
	case w.Kind == "":
		return Event{}, &FieldError{"kind", "is missing"}
	case !ok:
		return Event{}, &FieldError{"kind", fmt.Sprintf("%.40q is none: take one of %s", w.Kind, publicKinds)}
	case !kind.Public():
		return Event{}, &FieldError{"kind", fmt.Sprintf("%s is reported by the shop itself: take one of %s", kind, publicKinds)}
	}
	at, err := w.time(o, now)
	if err != nil {
		return Event{}, err
	}
	id := NewID()
	if w.ID != "" {
		if id, err = ParseID(w.ID); err != nil || id.derived() {
			return Event{}, &FieldError{"id", "must be a UUID of version 4 or 7"}
		}
	}
	if w.Product != 0 && w.ProductID != 0 && w.Product != w.ProductID {
		return Event{}, &FieldError{"product_id", "is another than product: they mean the same, send one"}
	}
	attributes := ""
	if len(w.Attributes) > 0 && string(w.Attributes) != "null" {
		if w.Attributes[0] != '{' {
			return Event{}, &FieldError{"attributes", "must be an object"}
		}
		attributes = string(w.Attributes)
	}
	e := Event{ID: id, Time: at, Kind: kind, Shopper: o.Shopper, Product: orDefault(w.Product, w.ProductID), Category: w.Category, Query: w.Query, Quantity: w.Quantity,
		Amount: w.Amount, Currency: w.Currency, Source: orDefault(w.Source, o.Source), Attributes: attributes}
	if e.Shopper == 0 {
		e.Shopper = HashShopper(w.Shopper)
	}
	return e, e.Check()
}

var publicKinds = func() (list string) {
	for k := KindView; k < kinds; k++ {
		if k.Public() {
			list += ", " + k.String()
		}
	}
	return list[2:]
}()

// time reads RFC 3339, or milliseconds since 1970; nothing means now.
func (w *wireEvent) time(o ReadOptions, now time.Time) (time.Time, error) {
	if len(w.Time) == 0 || string(w.Time) == "null" {
		return now, nil
	}
	var at time.Time
	if ms, err := strconv.ParseInt(string(w.Time), 10, 64); err == nil {
		at = time.UnixMilli(ms)
	} else {
		var text string
		if json.Unmarshal(w.Time, &text) != nil {
			return at, &FieldError{"time", "must be an RFC 3339 text, or milliseconds since 1970"}
		}
		if at, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return at, &FieldError{"time", fmt.Sprintf("%.40q is no RFC 3339 time", text)}
		}
	}
	switch ahead := at.Sub(now); {
	case ahead > o.MaxAhead:
		return at, &FieldError{"time", fmt.Sprintf("is %s ahead of this server's clock: at most %s are taken; leave it out to mean now", ahead.Round(time.Second), o.MaxAhead)}
	case ahead > o.Skew:
		return now, nil
	case -ahead > o.MaxLate:
		return at, &FieldError{"time", fmt.Sprintf("is %s old: at most %s are taken", (-ahead).Round(time.Minute), o.MaxLate)}
	}
	return at, nil
}
