package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/telemetry/spans"
)

// telemetryRoutes adds what is asked of the processes about themselves: of one by ?process=, or of all.
func (p *platformOps) telemetryRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /admin/profile", p.auth(p.ofOne("/internal/profile")))
	mux.HandleFunc("GET /admin/profiles", p.auth(p.ofOne("/internal/profiles")))
	mux.HandleFunc("GET /admin/flight", p.auth(p.ofAll("/internal/flight")))
	mux.HandleFunc("POST /admin/flight", p.auth(p.ofOne("/internal/flight")))
	mux.HandleFunc("GET /admin/flight/{name}", p.auth(func(w http.ResponseWriter, r *http.Request) {
		p.ofOne("/internal/flight/"+url.PathEscape(r.PathValue("name")))(w, r)
	}))
	mux.HandleFunc("GET /admin/traces", p.auth(p.ofAll("/internal/traces")))
	mux.HandleFunc("GET /admin/trace/{id}", p.auth(p.trace))
}

// ofOne hands a request on to the process that ?process= names, api-1 when it names none.
func (p *platformOps) ofOne(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		name := roleops.OrDefault(q.Get("process"), running.APIName(0))
		q.Del("process")
		members := p.members()
		i := slices.IndexFunc(members, func(m opshttp.Member) bool { return m.Name == name })
		if i < 0 {
			var known []string
			for _, m := range members {
				known = append(known, m.Name)
			}
			opshttp.Problem(w, http.StatusNotFound, "not-found", "there is no process "+name+": one of "+strings.Join(known, ", "))
			return
		}
		status, raw, err := opshttp.Ask(r.Context(), r.Method, members[i].Ops, path+"?"+q.Encode(), nil, opshttp.MaxAnswer)
		if err != nil {
			w.Header().Set("Retry-After", "1")
			opshttp.Problem(w, http.StatusServiceUnavailable, "temporarily-unavailable", name+" does not answer: "+err.Error())
			return
		}
		w.Header().Set("Content-Type", typeOf(status, raw))
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(raw)
	}
}

// typeOf is the media type of a member's answer: a problem, JSON, folded stacks, or a file.
func typeOf(status int, raw []byte) string {
	switch {
	case status >= 400:
		return "application/problem+json"
	case json.Valid(raw):
		return "application/json"
	case strings.HasPrefix(http.DetectContentType(raw), "text/plain"):
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// ofAll answers with the lists of all processes by their names; those that do not answer are missing.
func (p *platformOps) ofAll(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out := map[string]json.RawMessage{}
		members := p.members()
		for i, raw := range opshttp.FanOut(r.Context(), members, func(ctx context.Context, m opshttp.Member) ([]byte, error) {
			return opshttp.Get(ctx, m.Ops, path+"?"+r.URL.RawQuery)
		}) {
			if raw != nil {
				out[members[i].Name] = raw
			}
		}
		opshttp.WriteJSON(w, http.StatusOK, out)
	}
}

// tracePart is what a process did for a request, and when within the whole.
type tracePart struct {
	spans.Trace
	Offset time.Duration `json:"offset_ns"` // after the first process began
}

// trace puts together what all processes remember of a request, or of a trace of several, the first to begin first.
func (p *platformOps) trace(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	parts := []tracePart{}
	for _, list := range opshttp.FanOut(r.Context(), p.members(), func(ctx context.Context, m opshttp.Member) (list []spans.Trace, err error) {
		raw, err := opshttp.Get(ctx, m.Ops, "/internal/trace/"+url.PathEscape(id))
		if err == nil {
			err = json.Unmarshal(raw, &list)
		}
		return list, err
	}) {
		for _, t := range list {
			parts = append(parts, tracePart{Trace: t})
		}
	}
	if len(parts) == 0 {
		opshttp.Problem(w, http.StatusNotFound, "not-found", "no process remembers a request or trace "+id+
			": the last 512 requests of each are remembered, slow and failed ones longer; GET /admin/traces?class=slow lists them")
		return
	}
	slices.SortStableFunc(parts, func(a, b tracePart) int { return a.Start.Compare(b.Start) })
	for i := range parts {
		parts[i].Offset = parts[i].Start.Sub(parts[0].Start)
	}
	opshttp.WriteJSON(w, http.StatusOK, map[string]any{"id": id, "took_ns": parts[0].Took, "processes": parts})
}
