package queue

import (
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of messages, besides Nats-Msg-Id.
const (
	headerID          = "Event-Id" // kept over a replay, which gets another Nats-Msg-Id
	headerKey         = "Event-Key"
	headerSource      = "Event-Source"
	headerCreatedAt   = "Event-Created-At"
	headerPosition    = "Event-Position"
	headerTraceparent = "traceparent"

	headerDeadError      = "Dead-Error"
	headerDeadDeliveries = "Dead-Deliveries"
	headerDeadSubject    = "Dead-Subject"
	headerDeadFirst      = "Dead-First-At"
	headerDeadLast       = "Dead-Last-At"
)

// Message is one event as a handler gets it.
type Message struct {
	ID          string // the same for every delivery and replay of one event, and for no other event
	Topic       string
	Key         string // what the event is about
	Source      string // the name of the database it comes from
	Data        []byte // the payload; the handler must not keep or change it
	Traceparent string // W3C trace context of the transaction, may be empty
	CreatedAt   time.Time
	// Position is one of the source's write-ahead log (0/16B3748) at or after the commit of the transaction, if that waited for its
	// commit to be on disk: who reads at least there sees what the event tells of.
	Position   string
	Deliveries int // 1 at the first attempt
}

func newMessage(msg jetstream.Msg, meta *jetstream.MsgMetadata) Message {
	h := msg.Headers()
	m := Message{
		ID: eventID(h), Topic: topicOf(msg.Subject()), Key: h.Get(headerKey), Source: h.Get(headerSource), Data: msg.Data(),
		Traceparent: h.Get(headerTraceparent), Position: h.Get(headerPosition), CreatedAt: headerTime(h, headerCreatedAt), Deliveries: int(meta.NumDelivered),
	}
	if m.ID == "" { // published by hand: the place in the stream tells it from others
		m.ID = meta.Stream + ":" + strconv.FormatUint(meta.Sequence.Stream, 10)
	}
	if m.CreatedAt.IsZero() {
		m.CreatedAt = meta.Timestamp
	}
	return m
}

func eventID(h nats.Header) string {
	if id := h.Get(headerID); id != "" {
		return id
	}
	return h.Get(nats.MsgIdHdr)
}

func headerTime(h nats.Header, name string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, h.Get(name))
	if err != nil {
		return time.Time{}
	}
	return t
}

func setTime(h nats.Header, name string, t time.Time) { h.Set(name, t.UTC().Format(time.RFC3339Nano)) }

// permanentError marks what no retry can mend.
type permanentError struct{ err error }

func (p permanentError) Error() string { return p.err.Error() }
func (p permanentError) Unwrap() error { return p.err }

// Permanent marks err as beyond retrying: the message becomes a dead letter at once. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

// IsPermanent reports whether err, or one it wraps, was marked by [Permanent].
func IsPermanent(err error) bool {
	var p permanentError
	return errors.As(err, &p)
}
