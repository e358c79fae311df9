package roleops

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/telemetry"
)

// In a pause nothing is recorded; afterwards all goes on.
func TestPause(t *testing.T) {
	t.Parallel()
	m, mux := NewMeasuring(), http.NewServeMux()
	m.Mount(mux)
	ask := func(method, body string) string {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, "http://localhost/internal/measuring", strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:1"
		mux.ServeHTTP(w, r)
		return strings.TrimSpace(w.Body.String())
	}
	answered := m.EdgeAnswered(config.ProfilePlain)
	for _, state := range []string{`{"enabled":false}`, `{"enabled":true}`} {
		if got := ask("PUT", state); got != state {
			t.Fatalf("%s after %s", got, state)
		}
		answered(edge.Answered{Method: "GET", Target: "/", Status: 200, Took: time.Millisecond})
	}
	if got := ask("PUT", "?"); !strings.Contains(got, "enabled") {
		t.Errorf("to nonsense: %s", got)
	}
	if got := ask("GET", ""); got != `{"enabled":true}` {
		t.Error(got)
	}
	if n := exportSoon(t, m).Find(telemetry.KindRoute, "GET /").Window("10s").Count; n != 1 {
		t.Errorf("%d were recorded, want the one outside of the pause", n)
	}
}

// What runs between pauses ends when one begins, begins again after it, and is over when all is.
func TestWhatRunsBetweenPauses(t *testing.T) {
	t.Parallel()
	var p pausing
	begun, ended := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		p.between(ctx, func(ctx context.Context) {
			begun <- struct{}{}
			<-ctx.Done()
			ended <- struct{}{}
		})
	})
	for range 3 {
		<-begun
		p.set(true)
		<-ended
		p.set(true) // twice is once
		p.set(false)
	}
	<-begun
	cancel()
	<-ended
	wg.Wait()
}
