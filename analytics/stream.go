package analytics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The stream, and the subject that batches are published to.
const (
	Stream  = "STAMPEDE_ANALYTICS"
	Subject = "analytics.batch"
)

// StreamOptions size the stream. The zero value works.
type StreamOptions struct {
	MaxBytes int64 // of events that are not stored yet, and a few that are; default 1 GiB, less where the server has less
	Replicas int   // in a NATS cluster; default 1
}

// EnsureStream makes the stream, or brings its settings up to date. It keeps batches in files and refuses new ones when it is full.
// Safe to call from several processes at once.
func EnsureStream(ctx context.Context, js jetstream.JetStream, o StreamOptions) (jetstream.Stream, error) {
	cfg := jetstream.StreamConfig{Name: Stream, Subjects: []string{Subject}, Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew,
		MaxBytes: orDefault(o.MaxBytes, 1<<30), Replicas: orDefault(o.Replicas, 1), Duplicates: time.Second,
		Description: "batches of analytics events, until they are stored"}
	s, err := js.CreateOrUpdateStream(ctx, cfg)
	var api *jetstream.APIError
	for err != nil && errors.As(err, &api) && api.ErrorCode == errNoSpace && cfg.MaxBytes > 16<<20 {
		cfg.MaxBytes /= 2
		s, err = js.CreateOrUpdateStream(ctx, cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("analytics: stream %s: %w", Stream, err)
	}
	return s, nil
}

// What the server says when a stream would not fit, or is full.
const (
	errNoSpace    jetstream.ErrorCode = 10047
	errStreamFull jetstream.ErrorCode = 10077
)

// incarnation names this life of a stream: its sequence numbers begin anew in the next.
func incarnation(ctx context.Context, s jetstream.Stream) (string, error) {
	info, err := s.Info(ctx)
	if err != nil {
		return "", err
	}
	return info.Config.Name + "@" + info.Created.UTC().Format(time.RFC3339Nano), nil
}
