package waf

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// ciSetup is how the rule set's own continuous integration configures it, beyond the paranoia level.
const ciSetup = `SecAction "id:900005,phase:1,nolog,pass,t:none,setvar:tx.crs_validate_utf8_encoding=1,setvar:tx.arg_name_length=100,setvar:tx.arg_length=400,setvar:tx.total_arg_length=64000,setvar:tx.max_num_args=255,setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535"
SecAction "id:900006,phase:1,nolog,pass,t:none,setvar:'tx.allowed_methods=GET HEAD POST OPTIONS'"
SecAction "id:900007,phase:1,nolog,pass,t:none,setvar:'tx.allowed_request_content_type=|application/x-www-form-urlencoded| |multipart/form-data| |text/xml| |application/xml| |application/soap+xml| |application/json|'"
`

// unread are tests whose request net/http answers with 400 before any handler: what they attack with does not arrive.
var unread = map[string]string{
	"920100-2": "no method", "920100-11": "URI without a slash", "920100-12": "tab before the method",
	"920100-13": "no such version", "920100-15": "no such version", "920160-1": "Content-Length is no number",
	"920160-2": "Content-Length is no number", "920160-3": "Content-Length is no number", "920160-5": "Content-Length is no number",
	"920290-1": "HTTP/1.1 without Host", "920400-1": "the body is shorter than announced", "920430-4": "no such version",
	"920430-5": "HTTP/0.9", "920430-6": "no such version", "920430-7": "no such version", "920430-10": "no such version",
	"921140-1": "a carriage return in a header",
}

// exceptions are tests that are expected to fail, and why.
var exceptions = map[string]string{
	"920100-16": "the absolute form of a URI is sent on in origin form, and inspected so",
	"920290-4":  "to net/http an empty Host and none are the same: 920280 matches instead",
	"920620-1":  "wants what Apache does: to join two Content-Type headers; here the rule sees both, and objects",
	"920640-1":  "a body without Content-Type is taken for JSON, as the API takes it, and inspected as such",
	"920640-6":  "a body without Content-Type is inspected as text",
	"920640-7":  "a body without Content-Type is inspected as text",
	"920640-8":  "a body without Content-Type is taken for JSON",
	"920640-10": "a body without Content-Type is taken for JSON",
	"941120-12": "wants a false positive: a bearer token of nothing but base64 is not inspected",
}

// responseRule tells rules of the phases after the request, which are not loaded.
func responseRule(rule int) bool { return rule >= 950000 }

// every thins the tests out, more so under the race detector, unless STAMPEDE_SOAK asks for all.
func every(n int) int {
	switch {
	case os.Getenv("STAMPEDE_SOAK") != "":
		return 1
	case raced:
		return 4 * n
	}
	return n
}

func TestRegression(t *testing.T) {
	t.Parallel()
	before := filepath.Join(t.TempDir(), "ci-before.conf")
	if err := os.WriteFile(before, []byte(ciSetup), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWAF(t, Options{Profile: ProfilePlain, Paranoia: 4, Files: []string{before}})
	rs := w.live.Load().rules
	var passed, skipped, known, total int
	step := every(12)
	for i, one := range ftwTests(t) {
		switch _, excepted := exceptions[one.name()]; {
		case responseRule(one.rule) || unread[one.name()] != "":
			skipped++
			if unread[one.name()] != "" && one.name() != "920430-5" {
				if _, _, err := one.Stages[0].parse(t); err == nil {
					t.Errorf("%s arrives after all: take it off the list", one.name())
				}
			}
			continue
		case i%step != 0 && !excepted:
			continue
		}
		total++
		ok := true
		for _, s := range one.Stages {
			ok = ok && stagePasses(t, rs, one, s)
		}
		_, excepted := exceptions[one.name()]
		switch {
		case ok && excepted:
			t.Errorf("%s passes now: take it off the list of exceptions", one.name())
		case excepted:
			known++
		case ok:
			passed++
		}
	}
	t.Logf("%d of %d tests pass (%.1f %%), %d are known exceptions; %d do not apply", passed, total, 100*float64(passed)/float64(total), known, skipped)
}

// stagePasses runs one stage and says on failure what matched.
func stagePasses(t *testing.T, rs *ruleset, one ftwTest, s ftwStage) bool {
	t.Helper()
	r, body, err := s.parse(t)
	if err != nil {
		t.Errorf("%s does not arrive: %v", one.name(), err)
		return false
	}
	q := newRequest(r, nil)
	var got []int
	if err := q.setBody(r, body); err == nil {
		got = ids(rs, q)
	}
	for _, id := range s.Output.Log.Expect {
		if !slices.Contains(got, id) {
			return failed(t, one, "%d does not match", id)
		}
	}
	for _, id := range s.Output.Log.NoExpect {
		if slices.Contains(got, id) {
			return failed(t, one, "%d matches", id)
		}
	}
	return true
}

func failed(t *testing.T, one ftwTest, format string, id int) bool {
	t.Helper()
	if exceptions[one.name()] == "" {
		t.Errorf("%s: "+format, one.name(), id)
	}
	return false
}

// What the fast path calls clean, the whole rule set must call clean: asked with everything the rule set's authors
// could think of, attacks and look-alikes.
func TestFastPathAgrees(t *testing.T) {
	t.Parallel()
	for level, step := range map[int]int{1: 14, 2: 40} {
		w := newWAF(t, Options{Profile: ProfilePlain, Paranoia: level})
		g := w.live.Load()
		var fast, found int
		for i, one := range ftwTests(t) {
			if i%every(step) != 0 || responseRule(one.rule) {
				continue
			}
			for _, s := range one.Stages {
				r, body, err := s.parse(t)
				if err != nil {
					continue
				}
				q := newRequest(r, nil)
				if q.setBody(r, body) != nil {
					continue
				}
				clean := w.fast(g.rules, g.known, q)
				v := g.rules.whole(q)
				if clean && (v.Objects() || len(v.Matches) > 0) {
					t.Errorf("level %d, %s: clean on the fast path, but %+v", level, one.name(), v)
				}
				if clean {
					fast++
				}
				if len(v.Matches) > 0 {
					found++
				}
			}
		}
		if fast == 0 || found == 0 {
			t.Errorf("level %d: %d on the fast path, %d with matches: this shows nothing", level, fast, found)
		}
		t.Logf("level %d: %d requests on the fast path, %d with matches", level, fast, found)
	}
}
