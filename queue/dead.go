package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// DeadLetter is a message its consumer could not handle.
type DeadLetter struct {
	ID         uint64    `json:"id"` // its number in the dead-letter stream
	Consumer   string    `json:"consumer"`
	Topic      string    `json:"topic"`
	EventID    string    `json:"event_id"`
	Key        string    `json:"key"`
	Source     string    `json:"source"`
	Error      string    `json:"error"`
	Deliveries int       `json:"deliveries"`
	CreatedAt  time.Time `json:"created_at"`
	FirstAt    time.Time `json:"first_at"` // stored in the event stream
	DiedAt     time.Time `json:"died_at"`
	Data       []byte    `json:"-"`

	header nats.Header
}

// DeadFilter selects dead letters; what is zero does not narrow. Limit 0 means all.
type DeadFilter struct {
	IDs      []uint64
	Consumer string
	Topic    string
	Limit    int
}

func (f DeadFilter) subjectFilter() string {
	consumer, topic := orDefault(f.Consumer, "*"), orDefault(f.Topic, ">")
	return deadPrefix + "." + consumer + "." + topic
}

func (f DeadFilter) validate() error {
	if f.Consumer != "" && !validToken(f.Consumer) {
		return fmt.Errorf("queue: %q cannot be a consumer's name", f.Consumer)
	}
	if f.Topic != "" && !validTopic(f.Topic) {
		return fmt.Errorf("queue: %q cannot be a topic", f.Topic)
	}
	return nil
}

// DeadLetters lists, replays and purges dead letters.
type DeadLetters struct{ js jetstream.JetStream }

// NewDeadLetters opens the dead-letter stream of js.
func NewDeadLetters(js jetstream.JetStream) *DeadLetters { return &DeadLetters{js: js} }

// List returns the selected dead letters, oldest first.
func (d *DeadLetters) List(ctx context.Context, f DeadFilter) ([]DeadLetter, error) {
	out := []DeadLetter{}
	err := d.each(ctx, f, func(_ jetstream.Stream, l DeadLetter) error {
		out = append(out, l)
		return nil
	})
	return out, err
}

// Replay gives the selected dead letters back to the consumers they come from, and to no other, with their count of
// deliveries at nought; it returns how many. One that fails again becomes a new dead letter.
func (d *DeadLetters) Replay(ctx context.Context, f DeadFilter) (int, error) {
	n := 0
	err := d.each(ctx, f, func(s jetstream.Stream, l DeadLetter) error {
		m := nats.NewMsg(retryPrefix + "." + l.Consumer + "." + l.Topic)
		m.Data = l.Data
		for name, values := range l.header {
			if !strings.HasPrefix(name, "Dead-") && !strings.HasPrefix(name, "Nats-") {
				m.Header[name] = values
			}
		}
		m.Header.Set(nats.MsgIdHdr, fmt.Sprintf("replay:%d:%d", l.ID, l.DiedAt.UnixNano())) // once, if we die before the deletion
		if _, err := d.js.PublishMsg(ctx, m); err != nil {
			return fmt.Errorf("queue: replay dead letter %d: %w", l.ID, err)
		}
		n++
		return remove(ctx, s, l.ID)
	})
	return n, err
}

// Purge forgets the selected dead letters for good and returns how many.
func (d *DeadLetters) Purge(ctx context.Context, f DeadFilter) (int, error) {
	n := 0
	err := d.each(ctx, f, func(s jetstream.Stream, l DeadLetter) error {
		n++
		return remove(ctx, s, l.ID)
	})
	return n, err
}

func remove(ctx context.Context, s jetstream.Stream, seq uint64) error {
	err := s.DeleteMsg(ctx, seq)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("queue: delete dead letter %d: %w", seq, err)
	}
	return nil
}

// each calls fn for the selected dead letters there were at the time of the call, oldest first.
func (d *DeadLetters) each(ctx context.Context, f DeadFilter, fn func(jetstream.Stream, DeadLetter) error) error {
	if err := f.validate(); err != nil {
		return err
	}
	s, err := d.js.Stream(ctx, DeadStream)
	if err != nil {
		return fmt.Errorf("queue: dead letters: %w", err)
	}
	last := s.CachedInfo().State.LastSeq
	for n, seq := 0, uint64(1); f.Limit == 0 || n < f.Limit; seq++ {
		raw, err := s.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(f.subjectFilter()))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("queue: dead letters: %w", err)
		}
		if raw.Sequence > last {
			return nil
		}
		seq = raw.Sequence
		if len(f.IDs) > 0 && !slices.Contains(f.IDs, seq) {
			continue
		}
		n++
		if err := fn(s, deadLetter(raw)); err != nil {
			return err
		}
	}
	return nil
}

func deadLetter(raw *jetstream.RawStreamMsg) DeadLetter {
	_, rest, _ := strings.Cut(raw.Subject, ".")
	consumer, topic, _ := strings.Cut(rest, ".")
	deliveries, _ := strconv.Atoi(raw.Header.Get(headerDeadDeliveries))
	h := raw.Header
	return DeadLetter{
		ID: raw.Sequence, Consumer: consumer, Topic: topic, EventID: h.Get(headerID), Key: h.Get(headerKey),
		Source: h.Get(headerSource), Error: h.Get(headerDeadError), Deliveries: deliveries, CreatedAt: headerTime(h, headerCreatedAt),
		FirstAt: headerTime(h, headerDeadFirst), DiedAt: headerTime(h, headerDeadLast), Data: raw.Data,
		header: h,
	}
}
