package warming

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/predict"
)

var errWarming = errors.New("warming: caches are being filled")

// Status is what warming does and did in one API process. Effect is over all runs since the start, Last of the last whose effect
// is known.
type Status struct {
	warm.Progress
	Tuning    warm.Tuning       `json:"tuning"`
	Effect    warm.Effect       `json:"effect"`
	Last      warm.Effect       `json:"last_effect"`
	Known     int               `json:"known_keys"`             // whose demand is known
	Demand    *predict.Standing `json:"demand_model,omitempty"` // against decayed frequency
	Campaigns []Campaign        `json:"campaigns,omitempty"`
	Refused   string            `json:"refused,omitempty"` // why a run that was asked for did not begin
}

// Campaign is a campaign that is to come.
type Campaign struct {
	Name  string    `json:"name"`
	Start time.Time `json:"start"`
	Warm  time.Time `json:"warm"` // when its products are brought in first
}

// Request asks for a run; zero values mean what was learnt.
type Request struct {
	Top     int     `json:"top"`
	Rate    float64 `json:"rate"`
	NoEdges bool    `json:"no_edges,omitempty"` // memory and Redis only
}

// Status is how far it is.
func (w *Warming) Status() Status {
	all, last := w.Effect()
	st := Status{Progress: w.Progress(), Tuning: w.Tuning(), Effect: all, Last: last, Known: w.Popularity().Len(), Demand: w.sight.standing()}
	for _, c := range append(w.owner.list(), w.cfg.Campaigns...) {
		if time.Now().Before(c.Start) {
			st.Campaigns = append(st.Campaigns, Campaign{c.Name, c.Start, c.Start.Add(-c.Before)})
		}
	}
	return st
}

// Routes adds what the platform's operations endpoint asks an API process for, and, for whoever runs one alone, what `up` answers
// for all.
func (w *Warming) Routes(ops *roleops.Ops) {
	w.mount(ops.Mux, Path, opshttp.HereOnly, func(st Status) any { return st })
	w.mount(ops.Mux, "/admin/cache/warm", func(h http.HandlerFunc) http.HandlerFunc { return opshttp.AdminOnly(w.o.Config, h) },
		func(st Status) any { return map[string]Status{w.name: st} })
}

func (w *Warming) mount(mux *http.ServeMux, path string, guard func(http.HandlerFunc) http.HandlerFunc, shape func(Status) any) {
	answer := func(rw http.ResponseWriter, status int) { opshttp.WriteJSON(rw, status, shape(w.Status())) }
	mux.HandleFunc("GET "+path, guard(func(rw http.ResponseWriter, _ *http.Request) { answer(rw, http.StatusOK) }))
	mux.HandleFunc("DELETE "+path, guard(func(rw http.ResponseWriter, _ *http.Request) {
		w.Cancel()
		answer(rw, http.StatusOK)
	}))
	mux.HandleFunc("POST "+path, guard(func(rw http.ResponseWriter, r *http.Request) {
		if status, code, err := w.asked(http.MaxBytesReader(rw, r.Body, 1<<16)); err != nil {
			opshttp.Problem(rw, status, code, err.Error())
			return
		}
		answer(rw, http.StatusAccepted)
	}))
}

// asked begins a run that somebody asks for; an error comes with its status and code.
func (w *Warming) asked(body io.Reader) (status int, code string, err error) {
	req, err := DecodeRequest(body)
	if err != nil {
		return http.StatusBadRequest, "malformed", err
	}
	run := warm.Request{Reason: "asked", Top: req.Top, Rate: req.Rate}
	if req.NoEdges {
		run.Tiers = []string{DataTierName}
	}
	err = w.Start(run)
	if errors.Is(err, warm.ErrBusy) {
		return http.StatusConflict, "conflict", fmt.Errorf("caches are being warmed already (%s): wait until that has ended, or cancel it", w.Progress().Reason)
	}
	return http.StatusServiceUnavailable, "temporarily-unavailable", err
}

// DecodeRequest reads a request; nothing at all is the zero value.
func DecodeRequest(body io.Reader) (req Request, err error) {
	if err = opshttp.Decode(body, &req); errors.Is(err, io.EOF) {
		err = nil
	}
	if err == nil && (req.Top < 0 || req.Top > 100_000 || req.Rate < 0 || req.Rate > 1e6) {
		err = errors.New("out of range")
	}
	if err != nil {
		err = errors.New(err.Error() + `: send {"top":N,"rate":R}: items up to 100000, and loads a second up to 1000000; 0 means what was learnt`)
	}
	return req, err
}

// Path is where an API process is asked to warm.
const Path = "/internal/warm"
