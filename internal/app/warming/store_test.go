package warming

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/queue"
)

func newWarmStore(t *testing.T, url string) (*warmStore, *nats.Conn) {
	t.Helper()
	nc, err := queue.Connect(url, queue.ConnectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return &warmStore{js: js}, nc
}

// Documents outlive whoever wrote them; another process finds those of its siblings; names that the queue does not take are made fit.
func TestWarmStore(t *testing.T) {
	t.Parallel()
	url := localtest.NATS(t)
	one, nc := newWarmStore(t, url)
	two, _ := newWarmStore(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := nc.FlushWithContext(ctx); err != nil {
		t.Fatal(err)
	}
	if data, err := one.Load(ctx, "api-1.counts"); data != nil || err != nil {
		t.Errorf("nothing yet: %q, %v", data, err)
	}
	if docs, err := one.all(ctx, "counts"); len(docs) != 0 || err != nil {
		t.Errorf("nothing yet: %q, %v", docs, err)
	}
	for name, text := range map[string]string{"api-1.counts": "one", "api 2*.counts": "two", "api-1.plan": "plan", "gone.counts": "x"} {
		if err := one.Save(ctx, name, []byte(strings.Repeat(text, 50_000))); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.Save(ctx, "gone.counts", nil); err != nil {
		t.Fatal(err)
	}
	nc.Close()
	for name, text := range map[string]string{"api-1.counts": "one", "api 2*.counts": "two"} {
		if data, err := two.Load(ctx, name); err != nil || string(data) != strings.Repeat(text, 50_000) {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
	if data, err := two.Load(ctx, "gone.counts"); data != nil || err != nil {
		t.Errorf("removed: %q, %v", data, err)
	}
	if docs, err := two.all(ctx, "counts"); len(docs) != 2 || err != nil {
		t.Errorf("%d documents, %v", len(docs), err)
	}
}

// Without a queue there is an error at once, not a wait.
func TestWarmStoreWithoutQueue(t *testing.T) {
	t.Parallel()
	s, _ := newWarmStore(t, "nats://127.0.0.1:1")
	if _, err := s.Load(t.Context(), "x"); !errors.Is(err, errQueueAway) {
		t.Errorf("%v", err)
	}
	if err := s.Save(t.Context(), "x", nil); !errors.Is(err, errQueueAway) {
		t.Errorf("%v", err)
	}
}
