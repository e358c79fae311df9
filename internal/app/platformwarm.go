package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/warming"
)

// warmStatus is how far each API process is with warming.
func (p *platformOps) warmStatus(w http.ResponseWriter, r *http.Request) {
	p.warmAll(r.Context(), w, http.MethodGet)
}

// warmCancel ends it in all of them.
func (p *platformOps) warmCancel(w http.ResponseWriter, r *http.Request) {
	p.warmAll(r.Context(), w, http.MethodDelete)
}

// warmAll asks all API processes and answers with what they say, by name.
func (p *platformOps) warmAll(ctx context.Context, w http.ResponseWriter, method string) {
	apis, out := p.membersOf("api"), map[string]json.RawMessage{}
	answers := opshttp.FanOut(ctx, apis, func(ctx context.Context, m opshttp.Member) ([]byte, error) {
		status, raw, err := opshttp.Ask(ctx, method, m.Ops, warming.Path, nil, opshttp.MaxAnswer)
		if err == nil && status >= 300 {
			err = fmt.Errorf("%d", status)
		}
		return raw, err
	})
	for i, raw := range answers {
		if raw != nil {
			out[apis[i].Name] = raw
		}
	}
	if len(out) == 0 {
		opshttp.Problem(w, http.StatusServiceUnavailable, "temporarily-unavailable", "no API process answers")
		return
	}
	opshttp.WriteJSON(w, http.StatusOK, out)
}

// warmStart asks each API process to warm its own memory; what it finds in Redis costs no load. The first that begins asks the edges
// too. It is refused when none begins.
func (p *platformOps) warmStart(w http.ResponseWriter, r *http.Request) {
	req, err := warming.DecodeRequest(http.MaxBytesReader(w, r.Body, 1<<16))
	if err != nil {
		opshttp.Problem(w, http.StatusBadRequest, "malformed", err.Error())
		return
	}
	out, begun, refused := map[string]warming.Status{}, false, 0
	var errs []error
	for _, m := range p.membersOf("api") {
		req.NoEdges = begun
		st, status, err := warmMember(r.Context(), m, req)
		if err != nil {
			st.Refused = err.Error()
			errs, refused = append(errs, fmt.Errorf("%s: %w", m.Name, err)), max(status, refused)
		}
		begun = begun || err == nil
		out[m.Name] = st
	}
	if !begun {
		code := map[int]string{http.StatusBadRequest: "malformed", http.StatusConflict: "conflict"}[refused]
		opshttp.Problem(w, cmp.Or(refused, http.StatusServiceUnavailable), cmp.Or(code, "temporarily-unavailable"), "no API process begins: "+errors.Join(errs...).Error())
		return
	}
	opshttp.WriteJSON(w, http.StatusAccepted, out)
}

// warm asks one process; the status is 0 when it does not answer.
func warmMember(ctx context.Context, m opshttp.Member, req warming.Request) (st warming.Status, status int, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return st, 0, err
	}
	status, raw, err := opshttp.Ask(ctx, http.MethodPost, m.Ops, warming.Path, body, opshttp.MaxAnswer)
	switch {
	case err != nil:
		return st, http.StatusServiceUnavailable, err
	case status >= 300:
		return st, status, opshttp.ProblemError(http.MethodPost+" "+warming.Path, http.StatusText(status), bytes.TrimSpace(raw))
	}
	return st, status, json.Unmarshal(raw, &st)
}
