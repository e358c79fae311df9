package edgerole

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/warming"
	"github.com/stampede-shop/stampede/queue"
)

// edgeEvents reports views and searches, which an edge sees whole: its hits never reach an API process; and what its cache missed.
type edgeEvents struct{ to *analytics.Collector }

// addEvents reports, where events are collected and the shop is behind, whatever is let in.
func (n *Node) addEvents(o *edge.Options, cfg config.Config, name string) error {
	if !cfg.Analytics.Enabled || n.cfg.Profile != config.ProfileShop {
		return nil
	}
	nc, err := queue.Connect(cfg.NATS.URL, queue.ConnectOptions{Name: name + "-events", Log: o.Log})
	if err != nil {
		return fmt.Errorf("nats.url: %w", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return err
	}
	n.events = &edgeEvents{analytics.NewCollector(js, analytics.CollectorOptions{Delay: config.TrackDelay, Patience: config.TrackPatience, Registerer: o.Registerer, Log: o.Log})}
	e := n.events
	n.closers = append(n.closers, func() {
		ctx, cancel := context.WithTimeout(context.Background(), config.CollectorEnd)
		defer cancel()
		e.to.Close(ctx)
		nc.Close()
	})
	o.Admission = append(o.Admission, e.wrap)
	o.Middleware = append(o.Middleware, e.misses)
	if admit := o.Admit; admit != nil {
		o.Admit = func(v *edge.Visit) bool {
			if !admit(v) {
				return false
			}
			if kind, product, search := whatIsAsked(v.Method, v.Target); kind != 0 && len(v.Lines(warming.Header)) == 0 {
				e.track(kind, product, strings.Clone(search), v.Cookie())
			}
			return true
		}
	}
	return nil
}

func (e *edgeEvents) track(kind analytics.Kind, product int64, search, cookies string) {
	e.to.Track(analytics.Event{ID: analytics.NewID(), Time: time.Now(), Kind: kind, Product: product, Query: search,
		Shopper: analytics.HashShopper(account.Claimed(cookies)), Source: "edge"})
}

// wrap reports requests that are answered well, on their way to next.
func (e *edgeEvents) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, product, search := whatIsAsked(r.Method, r.RequestURI)
		if kind == 0 || r.Header[warming.Header] != nil {
			next.ServeHTTP(w, r)
			return
		}
		s := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(s, r)
		if s.status == http.StatusOK || s.status == http.StatusNotModified {
			e.track(kind, product, search, r.Header.Get("Cookie"))
		}
	})
}

// misses reports what goes on to an API process because the cache could not answer it.
func (e *edgeEvents) misses(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.Header[warming.Header] == nil && forEverybody(r) {
			_, product, search := whatIsAsked(r.Method, r.RequestURI)
			e.track(analytics.KindCacheMiss, product, search, "")
		}
		next.ServeHTTP(w, r)
	})
}

// admittedEvery is for how long a shopper who goes on shopping past a waiting room is reported once.
const admittedEvery = 10 * time.Minute

// admitted reports a shopper who is let in while a waiting room queues. A nil receiver reports nothing.
func (e *edgeEvents) admitted(userID string) {
	if e == nil || userID == "" {
		return
	}
	now := time.Now()
	e.to.Track(analytics.Event{ID: analytics.DerivedID(fmt.Sprint("admission ", userID, now.Truncate(admittedEvery).Unix())), Time: now, Kind: analytics.KindAdmission,
		Shopper: analytics.HashShopper(userID), Source: "edge"})
}

// statusWriter knows the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (s *statusWriter) WriteHeader(status int) {
	if s.status < 200 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (s *statusWriter) Write(b []byte) (int, error) {
	if s.status < 200 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find what is below.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// whatIsAsked tells a view of one product, and the first page of a search, from everything else, which has no kind.
func whatIsAsked(method, target string) (kind analytics.Kind, product int64, search string) {
	if method != http.MethodGet || len(target) < 3 {
		return 0, 0, ""
	}
	path, query, _ := strings.Cut(target, "?")
	if id, ok := strings.CutPrefix(path, "/p/"); ok {
		id, _, _ = strings.Cut(id, "-")
		return viewOf(id)
	}
	if id, ok := strings.CutPrefix(path, "/products/"); ok {
		return viewOf(id)
	}
	if path != "/products" && path != "/search" || !strings.Contains(query, "q=") || strings.Contains(query, "cursor=") {
		return 0, 0, ""
	}
	values, err := url.ParseQuery(query)
	if q := strings.TrimSpace(values.Get("q")); err == nil && q != "" && len(q) <= analytics.MaxText && utf8.ValidString(q) {
		return analytics.KindSearch, 0, q
	}
	return 0, 0, ""
}

func viewOf(id string) (analytics.Kind, int64, string) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		return 0, 0, ""
	}
	return analytics.KindView, n, ""
}
