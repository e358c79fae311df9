package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/chaos"
)

// ChaosState is what GET /admin/chaos answers.
type ChaosState struct {
	Faults []chaos.Info      `json:"faults"`
	Active []chaos.Injection `json:"active"`
	Links  []string          `json:"links"`
}

// injectTimeout bounds one injection.
const injectTimeout = 30 * time.Second

// chaosRequest is the body of POST /admin/chaos/{fault}; it may be empty.
type chaosRequest struct {
	Params map[string]string `json:"params"`
	For    string            `json:"for"` // like 30s
}

// routes are the calls under /admin/chaos.
func (c *chaosUp) routes(mux *http.ServeMux, auth func(http.HandlerFunc) http.HandlerFunc) {
	on := func(h http.HandlerFunc) http.HandlerFunc {
		return auth(func(w http.ResponseWriter, r *http.Request) {
			if !c.takes() {
				opsProblem(w, http.StatusNotFound, "not-found", "faults are injected by platforms that were started with `stampede up --chaos`")
				return
			}
			h(w, r)
		})
	}
	mux.HandleFunc("GET /admin/chaos", on(func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, ChaosState{c.faults.List(r.Context()), c.injector.Active(), c.links.Names()})
	}))
	mux.HandleFunc("POST /admin/chaos/{fault}", on(c.inject))
	mux.HandleFunc("DELETE /admin/chaos/{fault}", on(c.end))
	mux.HandleFunc("DELETE /admin/chaos", on(c.stop))
}

func (c *chaosUp) inject(w http.ResponseWriter, r *http.Request) {
	var req chaosRequest
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	err := dec.Decode(&req)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	var d time.Duration
	if err == nil && req.For != "" {
		d, err = time.ParseDuration(req.For)
	}
	if err != nil || d < 0 {
		opsProblem(w, http.StatusBadRequest, "malformed", `send {"params":{…},"for":"30s"}, or nothing`)
		return
	}
	params, err := resolveRoles(c.status(), req.Params)
	if err != nil {
		chaosProblem(w, err)
		return
	}
	// An injection is not to be broken off half way because whoever asked for it has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), injectTimeout)
	defer cancel()
	i, err := c.injector.Inject(ctx, chaos.Request{Fault: r.PathValue("fault"), Params: params, For: d})
	if err != nil {
		chaosProblem(w, err)
		return
	}
	writeJSON(w, http.StatusCreated, i)
}

// end undoes all injections of a fault, or the one of that id.
func (c *chaosUp) end(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("fault")
	err := c.injector.End(r.Context(), name)
	if errors.Is(err, chaos.ErrNotActive) {
		err = c.injector.EndFault(r.Context(), name)
	}
	c.answerEnd(w, err)
}

// stop is the kill switch.
func (c *chaosUp) stop(w http.ResponseWriter, r *http.Request) {
	err := c.injector.Stop(r.Context())
	_, left := chaos.Recover(r.Context(), c.dir, &c.faults)
	c.answerEnd(w, errors.Join(err, left))
}

func (c *chaosUp) answerEnd(w http.ResponseWriter, err error) {
	if err != nil {
		chaosProblem(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"active": c.injector.Active()})
}

func chaosProblem(w http.ResponseWriter, err error) {
	status, code := http.StatusInternalServerError, "internal"
	switch {
	case errors.Is(err, chaos.ErrUnknown), errors.Is(err, chaos.ErrNotActive):
		status, code = http.StatusNotFound, "not-found"
	case errors.Is(err, chaos.ErrParams):
		status, code = http.StatusUnprocessableEntity, "invalid"
	case errors.Is(err, chaos.ErrBusy), errors.Is(err, chaos.ErrUnavailable), errors.Is(err, chaos.ErrStopped):
		status, code = http.StatusConflict, "conflict"
	case errors.Is(err, chaos.ErrNotUndone):
		status, code = http.StatusServiceUnavailable, "temporarily-unavailable"
		w.Header().Set("Retry-After", "1")
	}
	opsProblem(w, status, code, err.Error())
}
