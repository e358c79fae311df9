package app

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/internal/app/chaoslab"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/shop"
)

func startup(settings ...string) []byte {
	body := append([]byte(strings.Join(settings, "\x00")), 0, 0)
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(binary.BigEndian.AppendUint32(b, startupProtocol), body...)
}

func TestStartupDatabase(t *testing.T) {
	t.Parallel()
	whole := startup("user", "stampede", "database", "shard1", "application_name", "x")
	for n := range len(whole) {
		if name, enough := startupDatabase(whole[:n]); enough || name != "" {
			t.Errorf("of %d bytes: %q, enough: %v", n, name, enough)
		}
	}
	cancel := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 16), 80877102)
	for _, c := range []struct {
		first []byte
		want  string
	}{{whole, "shard1"}, {cancel, ""}, {startup("user", "database"), ""}, {[]byte("GET / HTTP/1.1\r\n"), ""}, {startup(), ""}} {
		if name, enough := startupDatabase(c.first); name != c.want || !enough {
			t.Errorf("%q: %q, enough: %v, want %q", c.first, name, enough, c.want)
		}
	}
}

func TestMoveDSN(t *testing.T) {
	t.Parallel()
	got, err := moveDSN("postgres:///shard1?host=%2Fs%2Csocks%2C%2Fs%2Csocks&port=5432%2C5433&user=stampede&target_session_attrs=read-write", "/c/a")
	if err != nil || !strings.HasPrefix(got, "postgres:///shard1?host=%2Fc%2Fa%2C%2Fc%2Fa") || !strings.Contains(got, "port=5432%2C5433") {
		t.Errorf("%s, %v", got, err)
	}
}

// tell has a role take rules, as `up` does.
func tell(t *testing.T, c *chaosRole, rules ...chaoslab.Rule) {
	t.Helper()
	raw, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	c.take(w, httptest.NewRequest(http.MethodPut, chaoslab.RulesPath, strings.NewReader(string(raw))))
	if w.Code != http.StatusNoContent {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

func TestRoleMisbehaves(t *testing.T) {
	t.Parallel()
	c := newChaosRole(config.Config{Chaos: config.ChaosConfig{Enabled: true}}, "api-1")
	h := c.wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	status := func(method, path string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w.Code
	}
	tell(t, c, chaoslab.Rule{Path: "/cart*", Method: "POST", Share: 1, Status: 502}, chaoslab.Rule{Path: "*", Share: 1, Status: 500, Process: "api-2"})
	for _, r := range []struct {
		method, path string
		want         int
	}{{"POST", "/cart/add", 502}, {"GET", "/cart", 418}, {"GET", "/products", 418}} {
		if got := status(r.method, r.path); got != r.want {
			t.Errorf("%s %s: %d", r.method, r.path, got)
		}
	}
	tell(t, c, chaoslab.Rule{Path: "*", Share: 1, Latency: 30 * time.Millisecond}, chaoslab.Rule{Clock: time.Hour}, chaoslab.Rule{Clock: time.Minute})
	begin := time.Now()
	if got := status("GET", "/"); got != 418 || time.Since(begin) < 30*time.Millisecond {
		t.Errorf("%d after %v", got, time.Since(begin))
	}
	if d := time.Until(c.now()); d < time.Hour || d > 62*time.Minute {
		t.Errorf("the clock is %v ahead", d)
	}
	tell(t, c)
	if got, d := status("POST", "/cart/add"), time.Until(c.now()); got != 418 || d > time.Second {
		t.Errorf("with no rule: %d, clock %v ahead", got, d)
	}
}

// outcomes is a provider that answers with the outcome it was asked for.
type outcomes struct{ shop.PaymentProvider }

func (outcomes) Charge(_ context.Context, _ string, _ int64, _ string, m shop.PaymentMethod) (shop.Charge, error) {
	return shop.Charge{Ref: m.Outcome}, nil
}

func TestRolePays(t *testing.T) {
	t.Parallel()
	c := newChaosRole(config.Config{Chaos: config.ChaosConfig{Enabled: true}}, "api-1")
	p := c.payments(outcomes{})
	charge := func() string {
		ch, err := p.Charge(t.Context(), "k", 1, "EUR", shop.PaymentMethod{Outcome: "approve"})
		if err != nil {
			t.Fatal(err)
		}
		return ch.Ref
	}
	if got := charge(); got != "approve" {
		t.Errorf("untold: %q", got)
	}
	tell(t, c, chaoslab.Rule{Payment: "late", Share: 0.5})
	seen := map[string]int{}
	for range 200 {
		seen[charge()]++
	}
	if seen["late"] < 50 || seen["approve"] < 50 {
		t.Errorf("of 200, half of which were to be late: %v", seen)
	}
}

// A role that was not configured to misbehave takes no rules.
func TestRoleBehaves(t *testing.T) {
	t.Parallel()
	c := newChaosRole(config.Config{}, "api-1")
	ops := roleops.New()
	c.route(ops)
	w := httptest.NewRecorder()
	ops.Mux.ServeHTTP(w, httptest.NewRequest(http.MethodPut, chaoslab.RulesPath, strings.NewReader("[]")))
	if w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
		t.Errorf("%d", w.Code)
	}
	if d := time.Until(c.now()); d > time.Second {
		t.Errorf("the clock is %v ahead", d)
	}
}

// `up` tells the roles, one that was started later too, until the last rule is dropped.
func TestRulesAreTold(t *testing.T) {
	t.Parallel()
	c := newChaosRole(config.Config{Chaos: config.ChaosConfig{Enabled: true}}, "api-1")
	ops := roleops.New()
	c.route(ops)
	socket := filepath.Join(t.TempDir(), "s")
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	rules := chaoslab.NewRules(func() []opshttp.Member {
		return []opshttp.Member{{Name: "api-1", Ops: "unix:" + socket}, {Name: running.EdgeName, Ops: "unix:/nowhere"}}
	}, slog.New(slog.DiscardHandler))
	defer rules.Close()
	if _, err := rules.Put(t.Context(), &chaoslab.Rule{Clock: time.Hour}); err == nil {
		t.Error("nobody was told, and that is fine")
	}
	go func() {
		served <- opshttp.ServeHTTP(ctx, slog.New(slog.DiscardHandler), "unix:"+socket, ops.Mux, time.Second, nil)
	}()
	var undo chaos.Undo
	for err := errors.New("not yet"); err != nil && t.Context().Err() == nil; {
		undo, err = rules.Put(t.Context(), &chaoslab.Rule{Clock: time.Hour})
	}
	if d := time.Until(c.now()); d < 59*time.Minute {
		t.Errorf("told, and the clock is %v ahead", d)
	}
	tell(t, c) // as if it had been started anew
	for time.Until(c.now()) < 59*time.Minute && t.Context().Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if err := undo(t.Context()); err != nil || time.Until(c.now()) > time.Second {
		t.Errorf("undone: %v, the clock is %v ahead", err, time.Until(c.now()))
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestChaosCalls(t *testing.T) {
	t.Parallel()
	c := &chaoslab.Mender{Status: func() running.Status { return running.Status{} }, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Rules: chaoslab.NewRules(nil, nil)}
	var broken bool
	c.Faults.Add(chaos.Fault{Name: "break", Params: []chaos.Param{{Name: "how", Kind: chaos.Duration}},
		Plan: func(context.Context, chaos.Values) (chaos.Plan, error) {
			return chaos.Plan{Target: "it", Inject: func(context.Context, func(any) error) (chaos.Undo, error) {
				broken = true
				return func(context.Context) error { broken = false; return nil }, nil
			}}, nil
		}})
	var err error
	if c.Injector, err = chaos.New(&c.Faults, chaos.Options{Dir: c.Dir}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	on, off := (&platformOps{token: "secret", chaos: c}).handler(), (&platformOps{token: "secret"}).handler()
	call := func(h http.Handler, method, path, body, token string) int {
		r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		_, _ = io.Copy(io.Discard, w.Body)
		return w.Code
	}
	for _, s := range []struct {
		what, method, path, body, token string
		h                               http.Handler
		want                            int
		broken                          bool
	}{
		{"off", "POST", "/admin/chaos/break", "", "secret", off, 404, false},
		{"no token", "POST", "/admin/chaos/break", "", "", on, 401, false},
		{"unknown", "POST", "/admin/chaos/bend", "", "secret", on, 404, false},
		{"malformed", "POST", "/admin/chaos/break", `{"parms":{}}`, "secret", on, 400, false},
		{"wrong time", "POST", "/admin/chaos/break", `{"for":"long"}`, "secret", on, 400, false},
		{"wrong parameter", "POST", "/admin/chaos/break", `{"params":{"how":"x"}}`, "secret", on, 422, false},
		{"nothing to undo", "DELETE", "/admin/chaos/break", "", "secret", on, 404, false},
		{"inject", "POST", "/admin/chaos/break", `{"params":{"how":"1s"},"for":"1m"}`, "secret", on, 201, true},
		{"again", "POST", "/admin/chaos/break", "", "secret", on, 409, true},
		{"list", "GET", "/admin/chaos", "", "secret", on, 200, true},
		{"undo", "DELETE", "/admin/chaos/break", "", "secret", on, 200, false},
		{"inject", "POST", "/admin/chaos/break", "", "secret", on, 201, true},
		{"stop", "DELETE", "/admin/chaos", "", "secret", on, 200, false},
		{"stop again", "DELETE", "/admin/chaos", "", "secret", on, 200, false},
	} {
		if got := call(s.h, s.method, s.path, s.body, s.token); got != s.want || broken != s.broken {
			t.Errorf("%s: %d, broken: %v; want %d, %v", s.what, got, broken, s.want, s.broken)
		}
	}
}

func FuzzStartupDatabase(f *testing.F) {
	f.Add(startup("user", "stampede", "database", "shard1"))
	f.Fuzz(func(t *testing.T, first []byte) {
		if name, enough := startupDatabase(first); name != "" && (!enough || !strings.Contains(string(first), name)) {
			t.Errorf("%q of %q", name, first)
		}
	})
}

// Every role has links, so that a new one is not forgotten.
func TestEveryRoleHasLinks(t *testing.T) {
	t.Parallel()
	for _, r := range roles {
		if !slices.ContainsFunc(chaosClients, func(c chaosClient) bool { return c.role == r.name }) {
			t.Errorf("%s has none: add it to chaosClients", r.name)
		}
	}
}
