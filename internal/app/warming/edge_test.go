package warming

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/edge/httpcache"
	"github.com/stampede-shop/stampede/internal/app/config"
)

// origin stands for the API behind an edge.
type origin struct {
	mu    sync.Mutex
	asked []string
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/readyz" {
		return
	}
	o.mu.Lock()
	o.asked = append(o.asked, r.Header.Get("Accept-Encoding")+" "+r.URL.Path)
	o.mu.Unlock()
	if r.Header.Get(Header) == "" && r.URL.Path == "/p/1" {
		panic("the origin cannot tell warming from demand")
	}
	switch r.URL.Path {
	case "/p/gone":
		http.NotFound(w, r)
	case "/p/broken":
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.Header().Set("Vary", "Accept-Encoding")
		_, _ = fmt.Fprint(w, "page for ", r.Header.Get("Accept-Encoding"))
	}
}

func (o *origin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.asked)
}

// An edge is asked for what it is to keep in both forms, once; what it has costs the origin nothing; it is known under the name that
// shoppers use.
func TestEdgeTier(t *testing.T) {
	t.Parallel()
	o := &origin{}
	api := httptest.NewServer(o)
	t.Cleanup(api.Close)
	e, err := edge.New(edge.Options{Origins: []string{api.URL}, Cache: &httpcache.Options{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	front := httptest.NewServer(e)
	t.Cleanup(front.Close)
	tier, err := newEdgeTier(0, config.WarmEdgeConfig{URL: "http://shop.example", Connect: strings.TrimPrefix(front.URL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tier.close)
	if out, err := tier.Warm(t.Context(), []string{"/p/1"}); err != nil || len(out.Loaded) != 0 || o.count() != 0 {
		t.Errorf("an edge that keeps nothing, as far as is known: %+v, %v, asked %d times", out, err, o.count())
	}
	started := "now"
	tier.epoch.Store(&started)
	out, err := tier.Warm(t.Context(), []string{"/p/1", "/p/gone", "/p/2"})
	if err != nil || !slices.Equal(out.Loaded, []string{"/p/1", "/p/2"}) || !slices.Equal(out.Gone, []string{"/p/gone"}) {
		t.Errorf("%+v, %v", out, err)
	}
	asked := o.count()
	if out, err = tier.Warm(t.Context(), []string{"/p/1", "/p/2"}); err != nil || len(out.Loaded) != 0 || o.count() != asked || asked != 5 {
		t.Errorf("again: %+v, %v, %q", out, err, o.asked)
	}
	for _, encoding := range []string{"identity", "gzip, deflate, br, zstd"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+"/p/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "shop.example"
		r.Header.Set("Accept-Encoding", encoding)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if got := res.Header.Get("Cache-Status"); !strings.Contains(got, "; hit") {
			t.Errorf("a shopper with %q: %s", encoding, got)
		}
	}
	if _, err := tier.Warm(t.Context(), []string{"/p/broken"}); err == nil || !strings.Contains(err.Error(), "/p/broken: 503") {
		t.Errorf("%v", err)
	}
}

// An edge that has begun anew is noticed once, and one that has been there for long is not.
func TestEdgeBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := idle(t, nil)
		tally := warm.NewTally(10, time.Minute, 1)
		tier := &edgeTier{name: "edge-1"}
		if !tier.heard(w, tally.Report()) || tier.Epoch() == "" {
			t.Error("an edge that has just started is not noticed")
		}
		if tier.heard(w, tally.Report()) {
			t.Error("noticed twice")
		}
		time.Sleep(2 * edgeIsNew)
		if (&edgeTier{name: "edge-2"}).heard(w, tally.Report()) {
			t.Error("an edge that has been there for long is taken for a new one")
		}
	})
}
