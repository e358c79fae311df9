package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/stampede-shop/stampede/internal/app/edgerole"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
)

// purge hands the request to one API process, whose invalidation reaches all tiers and processes before it answers.
func (p *platformOps) purge(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil {
		_, err = edgerole.DecodePurge(bytes.NewReader(body))
	} else {
		err = edgerole.PurgeProblem(err)
	}
	if err != nil {
		opshttp.Problem(w, http.StatusBadRequest, "malformed", err.Error())
		return
	}
	var errs []error
	for _, m := range p.membersOf("api") {
		status, answer, err := opshttp.Ask(r.Context(), http.MethodPost, m.Ops, "/internal/purge", body, opshttp.MaxPurgeAnswer)
		if err == nil && status < 300 {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(answer)
			return
		}
		if err == nil {
			err = fmt.Errorf("%d %s", status, bytes.TrimSpace(answer))
		}
		errs = append(errs, fmt.Errorf("%s: %w", m.Name, err))
	}
	w.Header().Set("Retry-After", "1")
	opshttp.Problem(w, http.StatusServiceUnavailable, "temporarily-unavailable", "no API process purged: "+errors.Join(errs...).Error())
}

// reloadWAF has the edge read its rules again.
func (p *platformOps) reloadWAF(w http.ResponseWriter, r *http.Request) {
	for _, m := range p.members() {
		if m.Name != running.EdgeName {
			continue
		}
		status, answer, err := opshttp.Ask(r.Context(), http.MethodPost, m.Ops, "/internal/waf/reload", nil, opshttp.MaxPurgeAnswer)
		if err != nil {
			w.Header().Set("Retry-After", "1")
			opshttp.Problem(w, http.StatusServiceUnavailable, "temporarily-unavailable", "the edge does not answer: "+err.Error())
			return
		}
		kind := "application/json"
		if status >= http.StatusBadRequest {
			kind = "application/problem+json"
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(answer)
		return
	}
	opshttp.Problem(w, http.StatusNotFound, "not-found", "there is no edge here")
}

// metrics is the exposition of every process in one, each series labelled with its process.
func (p *platformOps) metrics(w http.ResponseWriter, r *http.Request) {
	families := p.gather(r.Context())
	names := make([]string, 0, len(families))
	for n := range families {
		names = append(names, n)
	}
	slices.Sort(names)
	w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	for _, n := range names {
		if _, err := expfmt.MetricFamilyToText(w, families[n]); err != nil {
			return
		}
	}
}

// gather collects the metrics of all processes, each labelled with its process.
func (p *platformOps) gather(ctx context.Context) map[string]*dto.MetricFamily {
	members := p.members()
	families := map[string]*dto.MetricFamily{}
	for i, raw := range opshttp.FanOut(ctx, members, func(ctx context.Context, m opshttp.Member) ([]byte, error) {
		return opshttp.Get(ctx, m.Ops, "/metrics")
	}) {
		mergeFamilies(families, raw, members[i].Name)
	}
	if p.own != nil {
		mine, _ := p.own.Gather() // what cannot be collected is left out
		for _, f := range mine {
			addFamily(families, f, "up")
		}
	}
	return families
}

func mergeFamilies(into map[string]*dto.MetricFamily, raw []byte, process string) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(bytes.NewReader(raw))
	if err != nil {
		return
	}
	for _, f := range parsed {
		addFamily(into, f, process)
	}
}

func addFamily(into map[string]*dto.MetricFamily, f *dto.MetricFamily, process string) {
	label := "process"
	for _, m := range f.Metric {
		m.Label = append(m.Label, &dto.LabelPair{Name: &label, Value: &process})
	}
	if have, ok := into[f.GetName()]; ok {
		have.Metric = append(have.Metric, f.Metric...)
	} else {
		into[f.GetName()] = f
	}
}
