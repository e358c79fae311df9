package app

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
)

var errWarming = errors.New("warming: caches are being filled")

// WarmStatus is what warming does and did in one API process. Effect is over all runs since the start, Last of the last whose effect
// is known.
type WarmStatus struct {
	warm.Progress
	Tuning    warm.Tuning    `json:"tuning"`
	Effect    warm.Effect    `json:"effect"`
	Last      warm.Effect    `json:"last_effect"`
	Known     int            `json:"known_keys"` // whose demand is known
	Campaigns []WarmCampaign `json:"campaigns,omitempty"`
	Refused   string         `json:"refused,omitempty"` // why a run that was asked for did not begin
}

// WarmCampaign is a campaign that is to come.
type WarmCampaign struct {
	Name  string    `json:"name"`
	Start time.Time `json:"start"`
	Warm  time.Time `json:"warm"` // when its products are brought in first
}

// WarmRequest asks for a run; zero values mean what was learnt.
type WarmRequest struct {
	Top   int     `json:"top"`
	Rate  float64 `json:"rate"`
	Edges bool    `json:"edges"` // also by requests of the edges
}

func (w *warming) status() WarmStatus {
	all, last := w.Effect()
	st := WarmStatus{Progress: w.Progress(), Tuning: w.Tuning(), Effect: all, Last: last, Known: w.Popularity().Len()}
	for _, c := range w.cfg.Campaigns {
		if time.Now().Before(c.Start) {
			st.Campaigns = append(st.Campaigns, WarmCampaign{c.Name, c.Start, c.Start.Add(-c.Before)})
		}
	}
	return st
}

// routes adds what the platform's operations endpoint asks an API process for.
func (w *warming) routes(ops *roleOps) {
	ops.mux.HandleFunc("GET /internal/warm", func(rw http.ResponseWriter, _ *http.Request) { writeJSON(rw, http.StatusOK, w.status()) })
	ops.mux.HandleFunc("POST /internal/warm", w.startHandler)
	ops.mux.HandleFunc("DELETE /internal/warm", func(rw http.ResponseWriter, _ *http.Request) {
		w.Cancel()
		writeJSON(rw, http.StatusOK, w.status())
	})
}

func (w *warming) startHandler(rw http.ResponseWriter, r *http.Request) {
	req, err := decodeWarmRequest(http.MaxBytesReader(rw, r.Body, 1<<16))
	if err != nil {
		opsProblem(rw, http.StatusBadRequest, "malformed", err.Error())
		return
	}
	run := warm.Request{Reason: "asked", Top: req.Top, Rate: req.Rate}
	if !req.Edges {
		run.Tiers = []string{dataTierName}
	}
	switch err := w.Start(run); {
	case errors.Is(err, warm.ErrBusy):
		opsProblem(rw, http.StatusConflict, "conflict", "caches are being warmed already ("+w.Progress().Reason+"): wait until that has ended, or cancel it")
	case errors.Is(err, warm.ErrOptions):
		opsProblem(rw, http.StatusBadRequest, "malformed", err.Error())
	case err != nil:
		opsProblem(rw, http.StatusServiceUnavailable, "temporarily-unavailable", err.Error())
	default:
		writeJSON(rw, http.StatusAccepted, w.status())
	}
}

// decodeWarmRequest reads a request; nothing at all is the zero value.
func decodeWarmRequest(body io.Reader) (req WarmRequest, err error) {
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err = dec.Decode(&req); errors.Is(err, io.EOF) {
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
