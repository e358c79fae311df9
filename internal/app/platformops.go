package app

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/internal/app/chaoslab"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/dashboard"
)

// platformOps is the operations endpoint of `up`: the health, metrics and figures of all processes in one place.
// Everything under /admin/, the profiles and the page need the admin token; Host must be a loopback name or the one
// listened on, and Origin ours, so that a web page elsewhere cannot reach it through the operator's browser.
type platformOps struct {
	token    string
	host     string                  // the name listened on besides loopback, "" for none
	members  func() []opshttp.Member // the roles and where each answers
	status   func() any
	failover func() any           // how the primaries and their standbys stand; may be nil
	own      *prometheus.Registry // metrics of this process; may be nil
	live     *dashboard.Collector // the dashboard's figures; may be nil
	alerts   *watchman            // may be nil
	desk     *desk                // what the administrator's pages ask; may be nil
	chaos    *chaoslab.Mender     // may be nil
	advisor  *advisor             // may be nil

	probes   []probe                                       // of the servers
	examined *map[string][]dashboard.Family                // what a diagnosis was made from last; for the advisor alone
	measured atomic.Pointer[map[string][]dashboard.Family] // what figures gave last
	viewed   viewed
}

func (p *platformOps) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", p.readyz)
	mux.HandleFunc("GET /metrics", p.metrics)
	mux.HandleFunc("POST /{$}", p.signIn)
	mux.HandleFunc("GET /assets/{file}", dashboard.Asset)
	p.deskRoutes(mux)
	if p.alerts != nil {
		p.alerts.routes(mux, p.auth, p.causes)
	}
	mux.HandleFunc("GET /admin/status", p.auth(func(w http.ResponseWriter, _ *http.Request) { opshttp.WriteJSON(w, http.StatusOK, p.status()) }))
	mux.HandleFunc("GET /admin/stats", p.auth(func(w http.ResponseWriter, r *http.Request) {
		opshttp.WriteJSON(w, http.StatusOK, p.stats(r.Context()))
	}))
	mux.HandleFunc("GET /admin/stream", p.auth(p.stream))
	mux.HandleFunc("GET /admin/shards", p.auth(p.part("shards", nil)))
	mux.HandleFunc("GET /admin/replicas", p.auth(p.part("replicas", p.failover)))
	mux.HandleFunc("GET /admin/advice", p.auth(p.advice))
	mux.HandleFunc("POST /admin/advice/act", p.auth(p.actRoute))
	mux.HandleFunc("POST /admin/cache/purge", p.auth(p.purge))
	mux.HandleFunc("POST /admin/waf/reload", p.auth(p.reloadWAF))
	mux.HandleFunc("GET /admin/cache/warm", p.auth(p.warmStatus))
	mux.HandleFunc("POST /admin/cache/warm", p.auth(p.warmStart))
	mux.HandleFunc("DELETE /admin/cache/warm", p.auth(p.warmCancel))
	p.chaos.Routes(mux, p.auth)
	p.telemetryRoutes(mux)
	mux.HandleFunc("/admin/", p.auth(opshttp.UnknownOps(mux)))
	roleops.MountPprof(mux, func(h http.HandlerFunc) http.HandlerFunc { return p.auth(h) }, pprof.Profile)
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(opshttp.ForeignOrigin))
	return opshttp.CheckHost(p.host, csrf.Handler(mux))
}

const tokenCookie = "stampede_ops"

func (p *platformOps) allowed(given string) bool {
	return p.token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(p.token)) == 1
}

// auth takes the bearer token, or the cookie that the sign-in form and the link of `up` set.
func (p *platformOps) auth(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && p.allowed(bearer) {
			h(w, r)
			return
		}
		if c, err := r.Cookie(tokenCookie); err == nil && p.allowed(c.Value) {
			h(w, r)
			return
		}
		if t := r.URL.Query().Get("token"); p.allowed(t) {
			p.setCookie(w, t)
			http.Redirect(w, r, r.URL.Path, http.StatusSeeOther)
			return
		}
		if !strings.HasPrefix(r.URL.Path, "/admin/") && !strings.HasPrefix(r.URL.Path, "/debug/") { // a page, for a person
			dashboard.Page(w, http.StatusUnauthorized, "signin", nil)
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="stampede"`)
		opshttp.Problem(w, http.StatusUnauthorized, "unauthorized", "the admin token is needed: it is in the data folder's admin-token file; "+
			"commands take it from there or from STAMPEDE_ADMIN_TOKEN, other programs send Authorization: Bearer")
	}
}

func (p *platformOps) setCookie(w http.ResponseWriter, token string) {
	http.SetCookie(w, &http.Cookie{Name: tokenCookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

func (p *platformOps) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	t := r.PostFormValue("token")
	if !p.allowed(t) {
		dashboard.Page(w, http.StatusUnauthorized, "signin", "wrong")
		return
	}
	p.setCookie(w, t)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// readyz is ready when every role is.
func (p *platformOps) readyz(w http.ResponseWriter, r *http.Request) {
	problems := opshttp.FanOut(r.Context(), p.members(), func(ctx context.Context, m opshttp.Member) (string, error) {
		_, err := opshttp.Get(ctx, m.Ops, "/readyz")
		if err != nil {
			return fmt.Sprintf("%s: %v\n", m.Name, err), nil
		}
		return "", nil
	})
	if text := strings.Join(problems, ""); text != "" {
		http.Error(w, text, http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

// stats are the figures of every process that has some, by name, with the state of all processes.
func (p *platformOps) stats(ctx context.Context) map[string]any {
	out := map[string]any{"time": time.Now().UTC(), "platform": p.status()}
	if p.live != nil {
		out["figures"] = p.live.Latest()
	}
	members := p.members()
	for i, raw := range opshttp.FanOut(ctx, members, func(ctx context.Context, m opshttp.Member) ([]byte, error) {
		return opshttp.Get(ctx, m.Ops, "/internal/stats")
	}) {
		if raw != nil {
			out[members[i].Name] = json.RawMessage(raw)
		}
	}
	return out
}

// membersOf are the processes of a role whose names begin with its own.
func (p *platformOps) membersOf(role string) (out []opshttp.Member) {
	for _, m := range p.members() {
		if strings.HasPrefix(m.Name, role) {
			out = append(out, m)
		}
	}
	return out
}

// part answers with one member of each API process's figures, and with what this process knows, as "failover".
func (p *platformOps) part(key string, failover func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out := map[string]any{}
		if failover != nil {
			out["failover"] = failover()
		}
		apis := p.membersOf("api")
		for i, raw := range opshttp.FanOut(r.Context(), apis, func(ctx context.Context, m opshttp.Member) ([]byte, error) {
			return opshttp.Get(ctx, m.Ops, "/internal/stats")
		}) {
			var all map[string]json.RawMessage
			if json.Unmarshal(raw, &all) == nil {
				out[apis[i].Name] = all[key]
			}
		}
		opshttp.WriteJSON(w, http.StatusOK, out)
	}
}
