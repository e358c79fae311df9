package waf

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func ruleFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const virtualPatch = `# a hole that is not mended yet

SecRule REQUEST_FILENAME "@beginsWith /orders/export" \
    "id:20001,phase:1,deny,status:403,\
    msg:'export is closed',severity:CRITICAL"
`

func blocked(w *WAF, target string) bool {
	r, body := typical(http.MethodGet, target, "")
	return w.Inspect(r, body).Objects()
}

func TestReload(t *testing.T) {
	t.Parallel()
	w := newWAF(t, Options{})
	const hole, other = "/orders/export?id=1", "/orders?limit=20"
	for range 2 { // the second time everything is known to be clean
		if blocked(w, hole) || blocked(w, other) {
			t.Fatal("blocked before there is a rule")
		}
	}
	rules := w.Rules()
	good := ruleFile(t, "patch.conf", virtualPatch)
	if err := w.Reload(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	if !blocked(w, hole) || blocked(w, other) || w.Rules() != rules+1 {
		t.Errorf("with the rule: %v %v, %d rules after %d", blocked(w, hole), blocked(w, other), w.Rules(), rules)
	}
	r, body := typical(http.MethodGet, other, "")
	if v := w.Inspect(r, body); !v.Fast {
		t.Error("a rule of one's own closed the fast path")
	}
	for name, c := range map[string]struct {
		text string
		line int
	}{
		"operator.conf":  {virtualPatch + "\n\nSecRule ARGS \"@nosuch x\" \"id:20002,phase:2,deny\"\n", 8},
		"directive.conf": {"# one\n# two\nSecNoSuchThing On\n", 3},
		"regexp.conf":    {"SecRule ARGS \\\n  \"@rx (\" \\\n  \"id:20003,phase:2,deny\"\n" + virtualPatch, 1},
		"twice.conf":     {virtualPatch + virtualPatch, 8},
	} {
		path := ruleFile(t, name, c.text)
		err := w.Reload(t.Context(), path)
		var re *RuleError
		if !errors.As(err, &re) || re.File != path || re.Line != c.line || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want line %d", name, err, c.line)
		}
		if !blocked(w, hole) || blocked(w, other) {
			t.Errorf("%s: the old rules are gone", name)
		}
	}
	if err := w.Reload(t.Context(), filepath.Join(t.TempDir(), "absent.conf")); !errors.Is(err, os.ErrNotExist) || !blocked(w, hole) {
		t.Errorf("an absent file: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Reload(ctx); !errors.Is(err, context.Canceled) || !blocked(w, hole) {
		t.Errorf("cancelled: %v", err)
	}
	if err := w.Reload(t.Context()); err != nil || blocked(w, hole) {
		t.Errorf("without files: %v, blocked %v", err, blocked(w, hole))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Reload(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Rules that steer others close the fast path, and work.
func TestSteeringRules(t *testing.T) {
	t.Parallel()
	before := ruleFile(t, "before.conf", `SecRule REQUEST_FILENAME "@streq /raw" "id:20010,phase:1,pass,nolog,t:none,ctl:ruleRemoveById=941100-941390"`)
	w := newWAF(t, Options{Files: []string{before}})
	const xss = "?x=%3Cscript%3Ealert(1)%3C/script%3E"
	if blocked(w, "/raw"+xss) || !blocked(w, "/other"+xss) {
		t.Errorf("/raw blocked %v, /other blocked %v", blocked(w, "/raw"+xss), blocked(w, "/other"+xss))
	}
	r, body := typical(http.MethodGet, "/other", "")
	if v := w.Inspect(r, body); v.Fast {
		t.Error("the fast path is open")
	}
}

// Requests are inspected, by old rules or new, while rules change.
func TestReloadUnderWay(t *testing.T) {
	t.Parallel()
	w := newWAF(t, Options{})
	stop := make(chan struct{})
	var g sync.WaitGroup
	for range 2 {
		g.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if blocked(w, "/products?q=lamp+"+itoa(i)) || !blocked(w, "/products?q=%3Cscript%3Ealert(1)%3C/script%3E") {
					t.Error("the wrong verdict while rules change")
					return
				}
			}
		})
	}
	for range 3 {
		if err := w.Reload(t.Context()); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	g.Wait()
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Mode: "loud"}, {Profile: "mine"}, {Paranoia: 5}, {Paranoia: -1}, {MaxBodyBytes: -1}, {Files: []string{"/does/not/exist.conf"}}} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "waf: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if m, err := ParseMode("detect"); m != ModeDetect || err != nil {
		t.Errorf("%v %v", m, err)
	}
}
