package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The two streams and the subjects they hold.
const (
	EventStream = "STAMPEDE_EVENTS" // events.<topic>, and retry.<durable>.<topic> for replayed dead letters
	DeadStream  = "STAMPEDE_DEAD"   // dead.<durable>.<topic>

	eventPrefix = "events"
	retryPrefix = "retry"
	deadPrefix  = "dead"
)

// StreamOptions size the streams. The zero value works.
type StreamOptions struct {
	MaxBytes     int64         // of the event stream; default 1 GiB, less where the server has less
	MaxAge       time.Duration // of an event, handled or not; default 7 days
	DeadMaxBytes int64         // of the dead-letter stream; default 256 MiB, likewise
	DeadMaxAge   time.Duration // default 30 days
	Duplicates   time.Duration // how long message ids are remembered; default 2 minutes
	Replicas     int           // of each stream in a NATS cluster; default 1
}

func (o StreamOptions) withDefaults() StreamOptions {
	o.MaxBytes = orDefault(o.MaxBytes, 1<<30)
	o.MaxAge = orDefault(o.MaxAge, 7*24*time.Hour)
	o.DeadMaxBytes = orDefault(o.DeadMaxBytes, 256<<20)
	o.DeadMaxAge = orDefault(o.DeadMaxAge, 30*24*time.Hour)
	o.Duplicates = orDefault(o.Duplicates, 2*time.Minute)
	o.Replicas = orDefault(o.Replicas, 1)
	return o
}

// EnsureStreams makes the streams, or brings their settings up to date. Both keep their messages in files and refuse new
// ones when full, so that the outbox, or the consumer, keeps what does not fit. The default persist mode is relied on:
// a message is written to its file before it is acknowledged. It is safe to call from several processes at once. A
// server that is away is waited for, at most 30 s.
func EnsureStreams(ctx context.Context, js jetstream.JetStream, o StreamOptions) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for !js.Conn().IsConnected() {
		if !pause(ctx, 20*time.Millisecond, nil) {
			return fmt.Errorf("queue: streams: %w", ErrDisconnected)
		}
	}
	given := o
	o = o.withDefaults()
	for _, c := range []jetstream.StreamConfig{
		{Name: EventStream, Description: "what happened, from the outboxes; replayed dead letters",
			Subjects: []string{eventPrefix + ".>", retryPrefix + ".>"}, MaxBytes: o.MaxBytes, MaxAge: o.MaxAge},
		{Name: DeadStream, Description: "what a consumer could not handle",
			Subjects: []string{deadPrefix + ".>"}, MaxBytes: o.DeadMaxBytes, MaxAge: o.DeadMaxAge},
	} {
		c.Storage = jetstream.FileStorage
		c.Retention = jetstream.LimitsPolicy
		c.Discard = jetstream.DiscardNew
		c.Duplicates = o.Duplicates
		c.Replicas = o.Replicas
		c.AllowDirect = true
		fixed := given.MaxBytes
		if c.Name == DeadStream {
			fixed = given.DeadMaxBytes
		}
		if err := ensureStream(ctx, js, c, fixed != 0); err != nil {
			return fmt.Errorf("queue: stream %s: %w", c.Name, err)
		}
	}
	return nil
}

// ensureStream makes one stream; unless its size was asked for, it is halved until the server has room for it.
func ensureStream(ctx context.Context, js jetstream.JetStream, c jetstream.StreamConfig, fixed bool) error {
	const (
		noRoom   = jetstream.ErrorCode(10047) // insufficient storage resources
		smallest = 8 << 20
	)
	for {
		_, err := js.CreateOrUpdateStream(ctx, c)
		var api *jetstream.APIError
		if fixed || c.MaxBytes <= smallest || !errors.As(err, &api) || api.ErrorCode != noRoom {
			return err
		}
		c.MaxBytes /= 2
	}
}

// validToken reports whether s can be one token of a subject, and so a durable's name.
func validToken(s string) bool {
	return s != "" && !strings.ContainsAny(s, " \t\r\n.*>/\\")
}

// validTopic reports whether s can follow a prefix in a subject.
func validTopic(s string) bool {
	for t := range strings.SplitSeq(s, ".") {
		if !validToken(t) {
			return false
		}
	}
	return true
}

// topicOf cuts the topic out of a subject of any of the three kinds.
func topicOf(subject string) string {
	kind, rest, _ := strings.Cut(subject, ".")
	if kind == eventPrefix {
		return rest
	}
	_, topic, _ := strings.Cut(rest, ".")
	return topic
}
