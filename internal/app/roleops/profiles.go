package roleops

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"time"

	pprofile "github.com/google/pprof/profile"

	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/telemetry/flight"
	"github.com/stampede-shop/stampede/telemetry/profile"
	"github.com/stampede-shop/stampede/telemetry/spans"
)

// Mount adds what the platform's operations endpoint, or somebody on this machine, asks a role about itself.
func (m *Measuring) Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /internal/trace/{id}", opshttp.HereOnly(m.traceHandler))
	mux.HandleFunc("GET /internal/traces", opshttp.HereOnly(m.tracesHandler))
	mux.HandleFunc("GET /internal/profiles", opshttp.HereOnly(m.profilesHandler))
	mux.HandleFunc("GET /internal/profile", opshttp.HereOnly(m.profileHandler))
	mux.HandleFunc("GET /internal/flight", opshttp.HereOnly(m.flightHandler))
	mux.HandleFunc("POST /internal/flight", opshttp.HereOnly(m.flightNow))
	mux.HandleFunc("GET /internal/measuring", opshttp.HereOnly(m.pauseHandler))
	mux.HandleFunc("PUT /internal/measuring", opshttp.HereOnly(m.pauseHandler))
	mux.HandleFunc("GET /internal/flight/{name}", opshttp.HereOnly(m.flightFile))
}

// profileByHand is /debug/pprof/profile: the profile that is taken all the time makes room for it.
func (m *Measuring) profileByHand(w http.ResponseWriter, r *http.Request) {
	if m.profiler == nil {
		pprof.Profile(w, r)
		return
	}
	_ = m.profiler.Yield(r.Context(), func() { pprof.Profile(w, r) }) // the only error is that the caller has gone
}

func (m *Measuring) traceHandler(w http.ResponseWriter, r *http.Request) {
	list := []spans.Trace{}
	if m.spans != nil {
		list = append(list, m.spans.Find(r.PathValue("id"))...)
	}
	opshttp.WriteJSON(w, http.StatusOK, list)
}

const mostTraces = 200

func (m *Measuring) tracesHandler(w http.ResponseWriter, r *http.Request) {
	list := []spans.Trace{}
	if m.spans != nil {
		list = m.spans.List(spans.Class(r.FormValue("class")), mostTraces)
	}
	opshttp.WriteJSON(w, http.StatusOK, list)
}

var errNotKept = errors.New("nothing is kept: set telemetry.dir and telemetry.profile or telemetry.flight")

func (m *Measuring) profilesHandler(w http.ResponseWriter, _ *http.Request) {
	if m.profiler == nil {
		opshttp.Problem(w, http.StatusConflict, "conflict", errNotKept.Error())
		return
	}
	list, err := m.profiler.Archive().List()
	deploys, err2 := m.profiler.Archive().Deploys()
	if err := errors.Join(err, err2); err != nil {
		opshttp.Problem(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	taken, busy := m.profiler.Counts()
	opshttp.WriteJSON(w, http.StatusOK, map[string]any{"profiles": list, "deploys": deploys, "taken": taken, "skipped": busy})
}

// profileHandler answers with the profiles of a span of time as one, compared with others where base says so.
func (m *Measuring) profileHandler(w http.ResponseWriter, r *http.Request) {
	if m.profiler == nil {
		opshttp.Problem(w, http.StatusConflict, "conflict", errNotKept.Error())
		return
	}
	a := m.profiler.Archive()
	deploys, err := a.Deploys()
	var q profileQuery
	if err == nil {
		q, err = parseProfileQuery(r, time.Now(), deploys)
	}
	if err != nil {
		opshttp.Problem(w, http.StatusBadRequest, "malformed", err.Error())
		return
	}
	err = q.write(w, a)
	switch {
	case errors.Is(err, profile.ErrNone):
		opshttp.Problem(w, http.StatusNotFound, "not-found", err.Error()+": GET /admin/profiles lists what there is")
	case err != nil:
		opshttp.Problem(w, http.StatusBadRequest, "malformed", err.Error())
	}
}

// profileQuery is what is asked of the profiles.
type profileQuery struct {
	now    profile.Selection
	base   *profile.Selection
	kind   string // of value
	format string
}

// parseProfileQuery reads kind, from, to, deploy, base, type and format. Times are RFC 3339 or durations before now, such as -10m.
func parseProfileQuery(r *http.Request, now time.Time, deploys []profile.Deploy) (q profileQuery, err error) {
	q.now = profile.Selection{Kind: profile.Kind(OrDefault(r.FormValue("kind"), string(profile.CPU))), Deploy: r.FormValue("deploy")}
	if q.now.Kind != profile.CPU && q.now.Kind != profile.Heap {
		return q, fmt.Errorf("kind %q: one of cpu, heap", q.now.Kind)
	}
	if q.now.From, err = parseMoment(r.FormValue("from"), now); err != nil {
		return q, fmt.Errorf("from: %w", err)
	}
	if q.now.To, err = parseMoment(r.FormValue("to"), now); err != nil {
		return q, fmt.Errorf("to: %w", err)
	}
	if q.now.Deploy == "" && q.now.From.IsZero() && q.now.To.IsZero() {
		q.now.From = now.Add(-10 * time.Minute)
	}
	q.kind = r.FormValue("type")
	if q.kind == "" && q.now.Kind == profile.Heap {
		q.kind = "inuse_space"
	}
	if q.format = OrDefault(r.FormValue("format"), "flame"); q.format != "flame" && q.format != "folded" && q.format != "pprof" {
		return q, fmt.Errorf("format %q: one of flame, folded, pprof", q.format)
	}
	if b := r.FormValue("base"); b != "" {
		q.base = &profile.Selection{Kind: q.now.Kind}
		err = q.compare(b, now, deploys)
	}
	return q, err
}

// compare sets the base: "deploy:NAME", "previous" for the deploy before the last, or a time from which on as long as the span.
func (q *profileQuery) compare(b string, now time.Time, deploys []profile.Deploy) (err error) {
	name, named := strings.CutPrefix(b, "deploy:")
	switch {
	case named:
		q.base.Deploy = name
	case b == "previous":
		if len(deploys) < 2 {
			return errors.New("base previous: there are profiles of one deploy only")
		}
		last := len(deploys) - 1
		q.base.Deploy = deploys[last-1].Name
		q.now.Deploy = OrDefault(q.now.Deploy, deploys[last].Name)
	default:
		if q.base.From, err = parseMoment(b, now); err != nil {
			return fmt.Errorf(`base: %w; or deploy:NAME, or "previous"`, err)
		}
		from, to := q.now.From, q.now.To
		if to.IsZero() {
			to = now
		}
		if from.IsZero() {
			return errors.New("base: a time compares with a span of the same length, so that from is needed")
		}
		q.base.To = q.base.From.Add(to.Sub(from))
	}
	return nil
}

func parseMoment(s string, now time.Time) (time.Time, error) {
	switch {
	case s == "":
		return time.Time{}, nil
	case s == "now":
		return now, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d <= 0 {
		return now.Add(d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("%q is neither a time such as 2026-11-27T12:00:00Z nor a duration before now such as -10m", s)
	}
	return t, nil
}

// OrDefault is s, or d where that is empty.
func OrDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

// write answers; when it returns an error nothing was written yet.
func (q profileQuery) write(w http.ResponseWriter, a profile.Archive) error {
	p, err := a.Merge(q.now)
	if err != nil {
		return err
	}
	var base *pprofile.Profile
	if q.base != nil && q.format == "flame" {
		if base, err = a.Merge(*q.base); err != nil {
			return fmt.Errorf("base: %w", err)
		}
	} else if q.base != nil {
		if p, err = a.Diff(q.now, *q.base); err != nil {
			return err
		}
	}
	switch q.format {
	case "pprof":
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="`+string(q.now.Kind)+`.pb.gz"`)
		_ = p.Write(w) // the client may be gone
	case "folded":
		var b strings.Builder
		if err := profile.Folded(&b, p, q.kind); err != nil {
			return err
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(b.String()))
	default:
		g, err := profile.Flame(p, base, q.kind)
		if err != nil {
			return err
		}
		opshttp.WriteJSON(w, http.StatusOK, g)
	}
	return nil
}

func (m *Measuring) flightHandler(w http.ResponseWriter, _ *http.Request) {
	list := []flight.Entry{}
	if m.flight != nil {
		kept, err := m.flight.Archive().List()
		if err != nil {
			opshttp.Problem(w, http.StatusInternalServerError, "internal", err.Error())
			return
		}
		list = append(list, kept...)
	}
	opshttp.WriteJSON(w, http.StatusOK, list)
}

// flightNow writes a trace of the last seconds because somebody asks for it.
func (m *Measuring) flightNow(w http.ResponseWriter, _ *http.Request) {
	if m.flight == nil || !m.flight.Trigger("by hand") {
		opshttp.Problem(w, http.StatusConflict, "conflict", "no trace is written: the flight recorder is off, or has just written one")
		return
	}
	opshttp.WriteJSON(w, http.StatusAccepted, map[string]string{"status": "it is being written: look for it in the list"})
}

func (m *Measuring) flightFile(w http.ResponseWriter, r *http.Request) {
	if m.flight == nil {
		opshttp.Problem(w, http.StatusConflict, "conflict", errNotKept.Error())
		return
	}
	f, err := m.flight.Archive().Open(r.PathValue("name"))
	if err != nil {
		opshttp.Problem(w, http.StatusNotFound, "not-found", err.Error())
		return
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		opshttp.Problem(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", "attachment; filename="+strconv.Quote(r.PathValue("name")))
	http.ServeContent(w, r, "", info.ModTime(), f)
}
