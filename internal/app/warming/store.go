package warming

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/cache/warm"
)

// warmStore keeps what warming knows in the queue's file storage. It is there before the caches are, survives all of them and every
// process, needs no folder that API processes share, and writing to it every half minute is no work for a primary and its
// replicas. A process that has no counts of its own yet takes those of the others.
type warmStore struct {
	js jetstream.JetStream

	mu sync.Mutex
	kv jetstream.KeyValue
}

var _ warm.Store = (*warmStore)(nil)

const (
	warmBucket  = "stampede-warm"
	warmKeepFor = 7 * 24 * time.Hour // what no process writes any more
)

var errQueueAway = errors.New("the queue is not connected")

func (s *warmStore) bucket(ctx context.Context) (jetstream.KeyValue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kv != nil {
		return s.kv, nil
	}
	if !s.js.Conn().IsConnected() {
		return nil, errQueueAway
	}
	kv, err := s.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: warmBucket, Description: "what caches are warmed with",
		History: 1, TTL: warmKeepFor, Storage: jetstream.FileStorage, Compression: true})
	if err == nil {
		s.kv = kv
	}
	return kv, err
}

// Save implements warm.Store.
func (s *warmStore) Save(ctx context.Context, name string, data []byte) error {
	kv, err := s.bucket(ctx)
	if err != nil {
		return err
	}
	if data == nil {
		return kv.Purge(ctx, warmKey(name))
	}
	_, err = kv.Put(ctx, warmKey(name), data)
	return err
}

// Load implements warm.Store.
func (s *warmStore) Load(ctx context.Context, name string) ([]byte, error) {
	kv, err := s.bucket(ctx)
	if err != nil {
		return nil, err
	}
	entry, err := kv.Get(ctx, warmKey(name))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return entry.Value(), nil
}

// all are the documents of this kind, of whatever process.
func (s *warmStore) all(ctx context.Context, kind string) (docs [][]byte, err error) {
	kv, err := s.bucket(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := kv.ListKeysFiltered(ctx, "*."+kind)
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range keys.Keys() {
		names = append(names, name)
	}
	for _, name := range names {
		data, err := s.Load(ctx, name)
		if err != nil {
			return docs, err
		}
		if data != nil {
			docs = append(docs, data)
		}
	}
	return docs, nil
}

// warmKey makes a name fit for the bucket.
func warmKey(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_=.", r) {
			return r
		}
		return '_'
	}, name)
}
