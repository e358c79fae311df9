package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/queue"
	"github.com/stampede-shop/stampede/shard"
)

const queueTimeout = 10 * time.Second

// WithQueue connects to the configured queue, waits until it answers, and calls f.
func WithQueue(ctx context.Context, cfg config.Config, f func(ctx context.Context, js jetstream.JetStream) error) error {
	if cfg.NATS.URL == "" {
		return errors.New("nats.url: not configured: give the queue's address, such as nats://127.0.0.1:4222")
	}
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	nc, err := queue.Connect(cfg.NATS.URL, queue.ConnectOptions{Name: "cli", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	return f(ctx, js)
}

// QueueReport is what waits where: in the outboxes and in the streams.
type QueueReport struct {
	Outboxes []queue.Backlog `json:"outboxes"`
	queue.Stats
}

// Queues reads the outboxes and the streams.
func Queues(ctx context.Context, cfg config.Config) (QueueReport, error) {
	var r QueueReport
	s, err := openBooks(ctx, cfg.OnPrimaries(), slog.New(slog.DiscardHandler))
	if err != nil {
		return r, err
	}
	defer s.close()
	if r.Outboxes, err = queue.Backlogs(ctx, s.outboxes()); err != nil {
		return r, err
	}
	err = WithQueue(ctx, cfg, func(ctx context.Context, js jetstream.JetStream) error {
		r.Stats, err = queue.ReadStats(ctx, js)
		return err
	})
	return r, err
}

// outboxes are the databases whose outbox rows go to the queue.
func (s *stack) outboxes() []queue.Source {
	sources := []queue.Source{{Name: "catalog", Pool: s.set.Primary()}}
	for _, n := range s.cluster.Nodes() {
		sources = append(sources, shardOutbox(n))
	}
	return sources
}

// outboxPoll is how often a worker looks at a shard's outbox: its commits do not notify, which would make them queue up.
const outboxPoll = 100 * time.Millisecond

func shardOutbox(n shard.Node) queue.Source {
	return queue.Source{Name: n.ID, Pool: n.Pool, Poll: outboxPoll}
}
