package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Stats is a picture of the queues.
type Stats struct {
	Streams   []StreamStats   `json:"streams"`
	Consumers []ConsumerStats `json:"consumers"` // by name
}

// StreamStats is a picture of one stream.
type StreamStats struct {
	Name     string    `json:"name"`
	Messages uint64    `json:"messages"` // kept, handled or not
	Bytes    uint64    `json:"bytes"`
	MaxBytes int64     `json:"max_bytes"`
	LastSeq  uint64    `json:"last_seq"` // messages ever
	LastTime time.Time `json:"last_time"`
}

// ConsumerStats is a picture of one durable consumer, over all of its processes.
type ConsumerStats struct {
	Name        string   `json:"name"`
	Topics      []string `json:"topics"`
	Pending     uint64   `json:"pending"`     // not delivered yet
	InFlight    int      `json:"in_flight"`   // being handled, or waiting for the next attempt
	Redelivered int      `json:"redelivered"` // those of InFlight that were delivered more than once
	Dead        uint64   `json:"dead"`        // dead letters
	Idle        bool     `json:"idle"`        // no process is asking for messages
}

// ReadStats asks the server for a picture of both streams and all consumers.
func ReadStats(ctx context.Context, js jetstream.JetStream) (Stats, error) {
	var out Stats
	dead := map[string]uint64{}
	for _, name := range []string{EventStream, DeadStream} {
		s, err := js.Stream(ctx, name)
		if err != nil {
			return Stats{}, fmt.Errorf("queue: stats of %s: %w", name, err)
		}
		info, err := s.Info(ctx, jetstream.WithSubjectFilter(deadPrefix+".>"))
		if err != nil {
			return Stats{}, fmt.Errorf("queue: stats of %s: %w", name, err)
		}
		for subject, n := range info.State.Subjects {
			if parts := strings.SplitN(subject, ".", 3); len(parts) == 3 {
				dead[parts[1]] += n
			}
		}
		out.Streams = append(out.Streams, StreamStats{Name: name, Messages: info.State.Msgs, Bytes: info.State.Bytes,
			MaxBytes: info.Config.MaxBytes, LastSeq: info.State.LastSeq, LastTime: info.State.LastTime})
		if name == EventStream {
			if out.Consumers, err = consumers(ctx, s); err != nil {
				return Stats{}, err
			}
		}
	}
	for i := range out.Consumers {
		c := &out.Consumers[i]
		c.Dead = dead[c.Name]
		delete(dead, c.Name)
	}
	for name, n := range dead { // of consumers that are gone
		out.Consumers = append(out.Consumers, ConsumerStats{Name: name, Dead: n, Idle: true})
	}
	slices.SortFunc(out.Consumers, func(a, b ConsumerStats) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func consumers(ctx context.Context, s jetstream.Stream) ([]ConsumerStats, error) {
	out := []ConsumerStats{}
	list := s.ListConsumers(ctx)
	for c := range list.Info() {
		st := ConsumerStats{Name: c.Name, Pending: c.NumPending, InFlight: c.NumAckPending, Redelivered: c.NumRedelivered,
			Idle: c.NumWaiting == 0 && c.NumAckPending == 0}
		for _, filter := range c.Config.FilterSubjects {
			if topic, ok := strings.CutPrefix(filter, eventPrefix+"."); ok {
				st.Topics = append(st.Topics, topic)
			}
		}
		out = append(out, st)
	}
	if err := list.Err(); err != nil && !errors.Is(err, jetstream.ErrEndOfData) {
		return nil, fmt.Errorf("queue: consumers: %w", err)
	}
	return out, nil
}
