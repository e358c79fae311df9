package app

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
)

// AnalyticsQuery asks for the rows of one SELECT.
type AnalyticsQuery struct {
	SQL      string  `json:"sql"`
	MaxRows  int     `json:"max_rows,omitempty"`
	TimeoutS float64 `json:"timeout_s,omitempty"`
	Format   string  `json:"format,omitempty"` // of an export: parquet, csv or json
}

const (
	analyticsQueryPath  = "/admin/analytics/query"
	analyticsExportPath = "/admin/analytics/export"
	maxQueryRows        = 1_000_000
	maxQueryTime        = 10 * time.Minute
	exportTime          = time.Hour
)

// routes adds what commands and the platform's operations endpoint ask.
func (a *analyst) routes(ops *roleops.Ops) {
	stats := func() map[string]any {
		a.mu.Lock()
		defer a.mu.Unlock()
		return map[string]any{"windows": a.live.Latest(time.Now()), "store": a.stats}
	}
	ops.Mux.HandleFunc("GET /internal/stats", func(w http.ResponseWriter, _ *http.Request) { opshttp.WriteJSON(w, http.StatusOK, stats()) })
	ops.Mux.HandleFunc("GET /admin/stats", opshttp.AdminOnly(a.cfg, func(w http.ResponseWriter, _ *http.Request) {
		opshttp.WriteJSON(w, http.StatusOK, map[string]any{"analytics": stats()})
	}))
	ops.Mux.HandleFunc("POST "+analyticsQueryPath, opshttp.AdminOnly(a.cfg, a.query))
	ops.Mux.HandleFunc("POST "+analyticsExportPath, opshttp.AdminOnly(a.cfg, a.export))
	ops.Mux.HandleFunc("/admin/", opshttp.AdminOnly(a.cfg, opshttp.UnknownOps(ops.Mux)))
}

func readQuery(w http.ResponseWriter, r *http.Request) (q AnalyticsQuery, ok bool) {
	if err := opshttp.Decode(http.MaxBytesReader(w, r.Body, 16<<20), &q); err != nil {
		opshttp.Problem(w, http.StatusBadRequest, "malformed", err.Error()+`: send {"sql":"SELECT …"}`)
		return q, false
	}
	if q.MaxRows < 0 || q.MaxRows > maxQueryRows || q.TimeoutS < 0 || q.TimeoutS > maxQueryTime.Seconds() {
		opshttp.Problem(w, http.StatusUnprocessableEntity, "invalid", "max_rows is at most a million, timeout_s at most 600")
		return q, false
	}
	return q, true
}

func (a *analyst) query(w http.ResponseWriter, r *http.Request) {
	q, ok := readQuery(w, r)
	if !ok {
		return
	}
	res, err := a.store.Query(r.Context(), q.SQL, analytics.QueryOptions{MaxRows: q.MaxRows, Timeout: time.Duration(q.TimeoutS * float64(time.Second))})
	if err != nil {
		queryProblem(w, err)
		return
	}
	opshttp.WriteJSON(w, http.StatusOK, res)
}

func queryProblem(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, analytics.ErrNotRead):
		opshttp.Problem(w, http.StatusForbidden, "forbidden", err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		opshttp.Problem(w, http.StatusUnprocessableEntity, "too-slow", err.Error())
	default:
		opshttp.Problem(w, http.StatusUnprocessableEntity, "invalid", err.Error())
	}
}

func (a *analyst) export(w http.ResponseWriter, r *http.Request) {
	q, ok := readQuery(w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), exportTime)
	defer cancel()
	out := &exportWriter{w: w}
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := a.store.Export(ctx, out, q.SQL, analytics.Format(q.Format)); err != nil {
		if out.begun {
			panic(http.ErrAbortHandler) // the client must not take half a file for a whole one
		}
		queryProblem(w, err)
	}
}

// exportWriter knows whether anything was sent.
type exportWriter struct {
	w     http.ResponseWriter
	begun bool
}

func (e *exportWriter) Write(b []byte) (int, error) {
	e.begun = true
	return e.w.Write(b)
}
