package warming

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
)

// edgeTier brings answers into one edge, by asking for them as shoppers do.
type edgeTier struct {
	name   string
	cfg    config.WarmEdgeConfig
	client *http.Client
	base   string // to connect to
	host   string
	scheme string
	epoch  atomic.Pointer[string] // when the edge started, as it told; nil: it has not
}

const (
	edgeRequestTimeout = 2 * time.Second
	edgePoll           = 5 * time.Second
	edgeIsNew          = time.Minute // an edge that started so long ago at most has an empty cache
)

// encodings are the forms in which shoppers take answers: browsers, and programs.
var encodings = []string{"gzip, deflate, br, zstd", "identity"}

func newEdgeTier(i int, cfg config.WarmEdgeConfig) (*edgeTier, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	e := &edgeTier{name: fmt.Sprintf("edge-%d", i+1), cfg: cfg, host: u.Host, scheme: u.Scheme}
	at := cfg.Connect
	if at == "" {
		at = cfg.URL
	}
	e.client, e.base = opshttp.ClientFor(at, edgeRequestTimeout)
	e.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return e, nil
}

// Name implements warm.Tier.
func (e *edgeTier) Name() string { return e.name }

// Epoch implements warm.Tier.
func (e *edgeTier) Epoch() string {
	if s := e.epoch.Load(); s != nil {
		return *s
	}
	return ""
}

// Warm implements warm.Tier. An edge that has not told what it is asked for keeps nothing, or is not there yet; it is warmed when it
// has started.
func (e *edgeTier) Warm(ctx context.Context, keys []string) (out warm.Outcome, err error) {
	if e.epoch.Load() == nil {
		return out, nil
	}
	for _, k := range keys {
		loaded := false
		for _, encoding := range encodings {
			hit, status, err := e.ask(ctx, k, encoding)
			if err != nil {
				return out, err
			}
			if status >= 500 || status == http.StatusTooManyRequests {
				return out, fmt.Errorf("%s: %d %s", k, status, http.StatusText(status))
			}
			loaded = loaded || !hit
			if status >= 300 {
				out.Gone = append(out.Gone, k)
				loaded = false
				break
			}
		}
		if loaded {
			out.Loaded = append(out.Loaded, k)
		}
	}
	return out, nil
}

// ask makes one request, and tells whether the edge answered it out of its cache.
func (e *edgeTier) ask(ctx context.Context, key, encoding string) (hit bool, status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.base+key, nil)
	if err != nil {
		return false, http.StatusNotFound, nil //nolint:nilerr // no address at all
	}
	r.Host = e.host
	r.Header.Set("Accept-Encoding", encoding)
	r.Header.Set(Header, "prefetch")
	if e.scheme == "https" && e.cfg.Connect != "" {
		r.Header.Set("X-Forwarded-Proto", "https") // TLS ends in front of the edge
	}
	res, err := e.client.Do(r)
	if err != nil {
		return false, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, opshttp.MaxAnswer)); err != nil {
		return false, 0, err
	}
	return strings.Contains(res.Header.Get("Cache-Status"), "; hit"), res.StatusCode, nil
}

// report asks the edge what it was asked for.
func (e *edgeTier) report(ctx context.Context) (r warm.Report, err error) {
	ctx, cancel := context.WithTimeout(ctx, edgeRequestTimeout)
	defer cancel()
	raw, err := opshttp.Get(ctx, e.cfg.Ops, DemandPath)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(raw, &r)
}

// listen hears what the edge is asked for, and brings in what will be when it has begun anew, unless warm.start is off, until ctx
// ends.
func (e *edgeTier) listen(ctx context.Context, w *Warming) {
	tick := time.NewTicker(edgePoll)
	defer tick.Stop()
	for {
		r, err := e.report(ctx)
		if err != nil {
			w.log.Debug("an edge does not tell what it is asked for", "edge", e.name, "error", err)
		} else if e.heard(w, r) && w.cfg.Start {
			if _, err := w.Run(ctx, warm.Request{Reason: e.name + " started", Tiers: []string{e.name}}); err != nil {
				w.log.Warn("an edge that has started could not be warmed", "edge", e.name, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// heard passes a report on, and tells whether the edge has begun with an empty cache a moment ago.
func (e *edgeTier) heard(w *Warming, r warm.Report) bool {
	started := r.Started.Format(time.RFC3339Nano)
	e.epoch.Store(&started)
	return w.Hear(e.name, r) && time.Since(r.Started) < edgeIsNew
}

func (e *edgeTier) close() { e.client.CloseIdleConnections() }
