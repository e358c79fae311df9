package chaoslab

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
)

// State is what GET /admin/chaos answers.
type State struct {
	Faults []chaos.Info      `json:"faults"`
	Active []chaos.Injection `json:"active"`
	Links  []string          `json:"links"`
}

// injectTimeout bounds one injection.
const injectTimeout = 30 * time.Second

// request is the body of POST /admin/chaos/{fault}; it may be empty.
type request struct {
	Params map[string]string `json:"params"`
	For    string            `json:"for"` // like 30s
}

// Routes are the calls under /admin/chaos.
func (c *Mender) Routes(mux *http.ServeMux, auth func(http.HandlerFunc) http.HandlerFunc) {
	on := func(h http.HandlerFunc) http.HandlerFunc {
		return auth(func(w http.ResponseWriter, r *http.Request) {
			if !c.Takes() {
				opshttp.Problem(w, http.StatusNotFound, "not-found", "faults are injected by platforms that were started with `stampede up --chaos`")
				return
			}
			h(w, r)
		})
	}
	mux.HandleFunc("GET /admin/chaos", on(func(w http.ResponseWriter, r *http.Request) {
		opshttp.WriteJSON(w, http.StatusOK, State{c.Faults.List(r.Context()), c.Injector.Active(), c.Links.Names()})
	}))
	mux.HandleFunc("POST /admin/chaos/{fault}", on(c.inject))
	mux.HandleFunc("DELETE /admin/chaos/{fault}", on(c.end))
	mux.HandleFunc("DELETE /admin/chaos", on(c.stop))
}

func (c *Mender) inject(w http.ResponseWriter, r *http.Request) {
	var req request
	err := opshttp.Decode(http.MaxBytesReader(w, r.Body, 1<<20), &req)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	var d time.Duration
	if err == nil && req.For != "" {
		d, err = time.ParseDuration(req.For)
	}
	if err != nil || d < 0 {
		opshttp.Problem(w, http.StatusBadRequest, "malformed", `send {"params":{…},"for":"30s"}, or nothing`)
		return
	}
	params, err := resolveRoles(c.Status(), req.Params)
	if err != nil {
		chaosProblem(w, err)
		return
	}
	// An injection is not to be broken off half way because whoever asked for it has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), injectTimeout)
	defer cancel()
	i, err := c.Injector.Inject(ctx, chaos.Request{Fault: r.PathValue("fault"), Params: params, For: d})
	if err != nil {
		chaosProblem(w, err)
		return
	}
	opshttp.WriteJSON(w, http.StatusCreated, i)
}

// end undoes all injections of a fault, or the one of that id.
func (c *Mender) end(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("fault")
	err := c.Injector.End(r.Context(), name)
	if errors.Is(err, chaos.ErrNotActive) {
		err = c.Injector.EndFault(r.Context(), name)
	}
	c.answerEnd(w, err)
}

// stop is the kill switch.
func (c *Mender) stop(w http.ResponseWriter, r *http.Request) {
	err := c.Injector.Stop(r.Context())
	_, left := chaos.Recover(r.Context(), c.Dir, &c.Faults)
	c.answerEnd(w, errors.Join(err, left))
}

func (c *Mender) answerEnd(w http.ResponseWriter, err error) {
	if err != nil {
		chaosProblem(w, err)
		return
	}
	opshttp.WriteJSON(w, http.StatusOK, map[string]any{"active": c.Injector.Active()})
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
	opshttp.Problem(w, status, code, err.Error())
}
