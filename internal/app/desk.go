package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/dashboard"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/queue"
)

// desk is what the administrator's pages work with: products through the shop's own API, orders and dead letters directly.
type desk struct {
	cfg  config.Config
	shop string // address of the edge
}

// deskRoutes adds the pages and what they ask.
func (p *platformOps) deskRoutes(mux *http.ServeMux) {
	if p.live == nil || p.desk == nil {
		return
	}
	mux.HandleFunc("GET /{$}", p.auth(func(w http.ResponseWriter, _ *http.Request) {
		dashboard.Page(w, http.StatusOK, "live", map[string]any{"Chaos": p.chaos.Takes()})
	}))
	for _, name := range []string{"products", "campaigns", "orders", "dead"} {
		mux.HandleFunc("GET /"+name, p.auth(func(w http.ResponseWriter, _ *http.Request) { dashboard.Page(w, http.StatusOK, name, nil) }))
	}
	mux.HandleFunc("GET /admin/history", p.auth(p.live.ServeHistory))
	mux.HandleFunc("/admin/shop/{path...}", p.auth(p.desk.product))
	mux.HandleFunc("GET /admin/orders", p.auth(p.desk.orders))
	mux.HandleFunc("POST /admin/orders/{id}/cancel", p.auth(p.desk.cancel))
	mux.HandleFunc("GET /admin/dead", p.auth(p.desk.dead))
	mux.HandleFunc("POST /admin/dead/{id}/replay", p.auth(p.desk.replay))
}

// product hands a call about products or campaigns on to the shop, with the administrator's token.
func (d *desk) product(w http.ResponseWriter, r *http.Request) {
	target := url.URL{Path: "/" + r.PathValue("path"), RawQuery: r.URL.RawQuery}
	if first, _, _ := strings.Cut(r.PathValue("path"), "/"); first != "products" && first != "campaigns" {
		opshttp.Problem(w, http.StatusNotFound, "not-found", "only /admin/shop/products… and /admin/shop/campaigns… go on to the shop")
		return
	}
	client, base := opshttp.ClientFor(d.shop, opshttp.Timeout)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(r.Context(), r.Method, base+target.String(), http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		opshttp.Problem(w, http.StatusBadRequest, "malformed", err.Error())
		return
	}
	for _, name := range []string{"Content-Type", "If-Match", "Accept"} {
		if v := r.Header.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	req.Header.Set("Authorization", "Bearer "+d.cfg.Admin.Token)
	resp, err := client.Do(req)
	if err != nil {
		opshttp.Problem(w, http.StatusBadGateway, "temporarily-unavailable", "the shop does not answer: "+err.Error())
		return
	}
	defer func() { _ = resp.Body.Close() }()
	for _, name := range []string{"Content-Type", "ETag", "X-Next-Cursor"} {
		if v := resp.Header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, io.LimitReader(resp.Body, opshttp.MaxAnswer)) // the client may be gone
}

// withBooks opens the databases for one question.
func (d *desk) withBooks(w http.ResponseWriter, r *http.Request, f func(ctx context.Context, s *stack) (any, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), queueTimeout)
	defer cancel()
	cfg := d.cfg.OnPrimaries()
	cfg.Catalog.PoolSize = 2
	s, err := openBooks(ctx, cfg, slog.New(slog.DiscardHandler))
	if err == nil {
		defer s.close()
		var out any
		if out, err = f(ctx, s); err == nil {
			opshttp.WriteJSON(w, http.StatusOK, out)
			return
		}
	}
	deskProblem(w, err)
}

func deskProblem(w http.ResponseWriter, err error) {
	var known *shop.Error
	if errors.As(err, &known) && known.Code == shop.CodeNotFound {
		opshttp.Problem(w, http.StatusNotFound, "not-found", err.Error())
		return
	}
	if errors.As(err, &known) {
		opshttp.Problem(w, http.StatusConflict, string(known.Code), err.Error())
		return
	}
	opshttp.Problem(w, http.StatusServiceUnavailable, "temporarily-unavailable", err.Error())
}

// adminOrder shows whose order it is, which shoppers are not told.
type adminOrder struct {
	shop.Order
	User string `json:"user_id"`
}

func (d *desk) orders(w http.ResponseWriter, r *http.Request) {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit")) // 0 becomes the least
	if limit == 0 {
		limit = 50
	}
	d.withBooks(w, r, func(ctx context.Context, s *stack) (any, error) {
		found, err := s.shards.RecentOrders(ctx, r.URL.Query().Get("id"), limit)
		list := make([]adminOrder, len(found))
		for i, o := range found {
			list[i] = adminOrder{o, o.UserID}
		}
		return map[string]any{"orders": list}, err
	})
}

func (d *desk) cancel(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	d.withBooks(w, r, func(ctx context.Context, s *stack) (any, error) {
		found, err := s.shards.RecentOrders(ctx, id, 1)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, shop.NotFound("order", id)
		}
		o, _, err := s.shards.CancelOrder(ctx, found[0].UserID, id)
		return adminOrder{o, o.UserID}, err
	})
}

func (d *desk) dead(w http.ResponseWriter, r *http.Request) {
	var letters []queue.DeadLetter
	err := WithQueue(r.Context(), d.cfg, func(ctx context.Context, js jetstream.JetStream) (err error) {
		letters, err = queue.NewDeadLetters(js).List(ctx, queue.DeadFilter{Limit: 200})
		return err
	})
	if err != nil {
		deskProblem(w, err)
		return
	}
	type shown struct {
		queue.DeadLetter
		Data json.RawMessage `json:"data,omitempty"`
	}
	list := make([]shown, len(letters))
	for i, l := range letters {
		list[i] = shown{DeadLetter: l}
		if list[i].Data = l.Data; !json.Valid(l.Data) { // that may be why it is dead
			list[i].Data, _ = json.Marshal(string(l.Data)) // of a string always succeeds
		}
	}
	opshttp.WriteJSON(w, http.StatusOK, map[string]any{"letters": list})
}

func (d *desk) replay(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		opshttp.Problem(w, http.StatusBadRequest, "malformed", fmt.Sprintf("%q is not the number of a dead letter", r.PathValue("id")))
		return
	}
	var n int
	err = WithQueue(r.Context(), d.cfg, func(ctx context.Context, js jetstream.JetStream) (err error) {
		n, err = queue.NewDeadLetters(js).Replay(ctx, queue.DeadFilter{IDs: []uint64{id}})
		return err
	})
	if err != nil {
		deskProblem(w, err)
		return
	}
	opshttp.WriteJSON(w, http.StatusOK, map[string]int{"replayed": n})
}
