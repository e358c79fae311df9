package warming

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// Shoppers are kept away until the first run has ended, but not for longer than they are to wait; the tier's own requests and what is not
// kept do not count as demand.
func TestReadyWaits(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := idle(t, release)
	w.cfg.Start, w.cfg.ReadyWithin = true, time.Minute
	w.data, w.meter = &dataTier{}, warm.NewMeter(time.Second, 0)
	w.ctx, w.cancel = context.WithCancel(t.Context())
	w.store, _ = newWarmStore(t, "nats://127.0.0.1:1")
	if w.Wait() != nil {
		t.Error("kept away before it began")
	}
	w.Begin()
	if w.Wait() == nil {
		t.Error("not kept away")
	}
	close(release)
	w.bg.Wait()
	if err := w.Wait(); err != nil {
		t.Errorf("the run has ended, and yet %v", err)
	}
	w.cfg.ReadyWithin = time.Nanosecond
	w.Begin()
	localtest.Eventually(t, "let in", func() bool { return w.Wait() == nil })
	w.cancel()
	w.bg.Wait()

	served := 0
	h := w.Observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }), http.NotFoundHandler())
	for _, c := range []struct {
		method, target string
		warming        bool
	}{{"GET", "/products/7", false}, {"GET", "/products/8", true}, {"POST", "/products/9", false}, {"GET", "/cart", false}} {
		r := httptest.NewRequest(c.method, c.target, nil)
		if c.warming {
			r.Header.Set(Header, "prefetch")
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	list, err := w.Popularity().Predict(t.Context(), time.Now(), 10)
	if err != nil || served != 4 || len(list) != 2 || w.meter.UnderWay() != 0 { // and what was seen before
		t.Errorf("%+v, %v, %d served", list, err, served)
	}
}

// idle is a process whose loads wait for release, and to which nothing has happened but that one product was asked for.
func idle(t *testing.T, release <-chan struct{}) *Warming {
	t.Helper()
	wr, err := warm.New(warm.Options{}, warm.NewTier(DataTierName, func(ctx context.Context, keys []string) (warm.Outcome, error) {
		select {
		case <-release:
			return warm.Outcome{Loaded: keys}, nil
		case <-ctx.Done():
			return warm.Outcome{}, context.Cause(ctx)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wr.Close)
	wr.Seen("/products/1")
	w := New("", config.WarmConfig{}, slog.New(slog.DiscardHandler))
	w.Warmer = wr
	return w
}
