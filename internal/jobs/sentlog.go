package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	sentBucket = "mail-sent"
	sentFor    = 30 * 24 * time.Hour // longer than any message or dead letter can come back
	sentBytes  = 64 << 20
)

// sentLog remembers which letters were sent.
type sentLog interface {
	Sent(ctx context.Context, key string) (bool, error)
	MarkSent(ctx context.Context, key string) error
}

// kvSentLog keeps the log in a JetStream bucket, which is made at first use.
type kvSentLog struct {
	js jetstream.JetStream

	mu sync.Mutex
	kv jetstream.KeyValue
}

func (s *kvSentLog) bucket(ctx context.Context) (jetstream.KeyValue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kv != nil {
		return s.kv, nil
	}
	kv, err := s.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: sentBucket,
		Description: "letters that a mail server has taken", TTL: sentFor, MaxBytes: sentBytes, Storage: jetstream.FileStorage})
	if err != nil {
		return nil, fmt.Errorf("jobs: log of sent mail: %w", err)
	}
	s.kv = kv
	return kv, nil
}

func (s *kvSentLog) Sent(ctx context.Context, key string) (bool, error) {
	kv, err := s.bucket(ctx)
	if err != nil {
		return false, err
	}
	_, err = kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s *kvSentLog) MarkSent(ctx context.Context, key string) error {
	kv, err := s.bucket(ctx)
	if err != nil {
		return err
	}
	_, err = kv.Put(ctx, key, nil)
	return err
}
