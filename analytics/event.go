package analytics

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Kind is what happened. Its numbers are stored and sent: append only.
type Kind uint8

// Kinds of events. Those from KindOrder on are written by the shop itself and never taken from a client.
const (
	KindUnknown Kind = iota
	KindView
	KindClick
	KindSearch
	KindAdd
	KindRemove
	KindCheckout // begun
	KindCustom
	KindOrder     // confirmed: one for each order, amount is its total
	KindPurchase  // a line of a confirmed order
	KindCancel    // of an order, amount is its total
	KindFail      // a checkout that failed
	KindAbandon   // a cart left alone
	KindCacheMiss // a catalogue read that no cache could answer
	KindAdmission // let in from the waiting room
	kinds
)

var kindNames = [kinds]string{"unknown", "view", "click", "search", "add", "remove", "checkout", "custom", "order", "purchase", "cancel",
	"fail", "abandon", "cache_miss", "admission"}

func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return kindNames[KindUnknown]
}

// KindNames lists the names of all kinds by number.
func KindNames() []string { return kindNames[:] }

// ParseKind finds a kind by its name.
func ParseKind(name string) (Kind, bool) {
	for k := KindView; k < kinds; k++ {
		if kindNames[k] == name {
			return k, true
		}
	}
	return KindUnknown, false
}

// Public tells whether clients may report this kind.
func (k Kind) Public() bool { return k > KindUnknown && k < KindOrder }

// ID is an event's identity: a UUID of version 4 or 7 chosen by whoever reports it, or of version 8, made by [DerivedID].
type ID [16]byte

// NewID makes a UUIDv7. It names events, and is no secret.
func NewID() ID { return IDAt(time.Now()) }

// IDAt is NewID at a moment.
func IDAt(at time.Time) (id ID) {
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli())<<16|rand.Uint64()&0x0fff|0x7000)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()>>2|1<<63)
	return id
}

// DerivedID is the same for the same name, and no client can choose it: version 8.
func DerivedID(name string) ID {
	id := ID(uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)))
	id[6] = id[6]&0x0f | 0x80
	return id
}

// ParseID reads a UUID.
func ParseID(s string) (ID, error) {
	id, err := uuid.Parse(s)
	return ID(id), err
}

func (id ID) String() string { return uuid.UUID(id).String() }

// IsZero tells whether there is none.
func (id ID) IsZero() bool { return id == ID{} }

// valid tells whether the id is a UUID of a version that is taken.
func (id ID) valid() bool {
	v := id[6] >> 4
	return id[8]>>6 == 0b10 && (v == 4 || v == 7 || v == 8)
}

// derived tells ids of DerivedID.
func (id ID) derived() bool { return id[6]>>4 == 8 }

// Event is one thing that happened. Zero fields are absent; ID, Time and Kind are needed.
type Event struct {
	ID         ID
	Time       time.Time // to the microsecond
	Kind       Kind
	Shopper    uint64 // [HashShopper] of whoever did it: no names are kept
	Product    int64
	Order      ID     // the order that order, purchase and cancel are about
	Category   string // path, a/b/c
	Query      string // what was searched for
	Quantity   int32
	Amount     int64  // minor units
	Currency   string // ISO 4217
	Source     string // who reports: web, app, edge, api, outbox …
	Attributes string // a JSON object
}

// Bounds of an event's fields, in bytes and numbers.
const (
	MaxText       = 200
	MaxAttributes = 4096
	MaxQuantity   = 1_000_000
	MaxAmount     = 1_000_000_000_000
)

// HashShopper makes the number under which a shopper's id is kept; 0 for none.
func HashShopper(id string) uint64 {
	if id == "" {
		return 0
	}
	x := uint64(14695981039346656037) // FNV-1a
	for i := range len(id) {
		x = (x ^ uint64(id[i])) * 1099511628211
	}
	// It leaves the upper bits of short texts poor; sketches count by them.
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return max(1, x^x>>33)
}

// Check says what is wrong with e; nil if nothing is.
func (e *Event) Check() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, &FieldError{field, fmt.Sprintf(format, args...)})
	}
	if !e.ID.valid() {
		bad("id", "must be a UUID of version 4 or 7")
	}
	if e.Time.IsZero() {
		bad("time", "is missing")
	} else if y := e.Time.Year(); y < 2000 || y > 9999 {
		bad("time", "must be in the years 2000 to 9999")
	}
	if e.Kind == KindUnknown || e.Kind >= kinds {
		bad("kind", "is none that is known")
	}
	if e.Product < 0 {
		bad("product", "must not be negative")
	}
	if e.Quantity < 0 || e.Quantity > MaxQuantity {
		bad("quantity", "must be from 0 to %d", MaxQuantity)
	}
	if e.Amount < -MaxAmount || e.Amount > MaxAmount {
		bad("amount", "must be within %d minor units", MaxAmount)
	}
	if !currencyLike(e.Currency) {
		bad("currency", "must be three capital letters")
	}
	for _, t := range []struct {
		name, text string
		most       int
	}{{"category", e.Category, MaxText}, {"query", e.Query, MaxText}, {"source", e.Source, MaxText}, {"attributes", e.Attributes, MaxAttributes}} {
		if len(t.text) > t.most {
			bad(t.name, "has %d bytes, at most %d are taken", len(t.text), t.most)
		} else if !utf8.ValidString(t.text) {
			bad(t.name, "is not UTF-8")
		}
	}
	return errors.Join(errs...)
}

func currencyLike(c string) bool {
	if c == "" {
		return true
	}
	for i := range len(c) {
		if c[i] < 'A' || c[i] > 'Z' {
			return false
		}
	}
	return len(c) == 3
}

// FieldError says what is wrong with one field of an event.
type FieldError struct{ Field, Message string }

func (e *FieldError) Error() string { return e.Field + " " + e.Message }
