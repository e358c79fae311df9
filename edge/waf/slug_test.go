package waf

import (
	"io/fs"
	"net/http"
	"strings"
	"testing"

	crs "github.com/corazawaf/coraza-coreruleset/v4"
	"pgregory.net/rapid"
)

// Pages of things that differ in number and words are known from the first on but for their paths; what is no slug stays in the envelope.
func TestSlugs(t *testing.T) {
	t.Parallel()
	envelope := func(target string) string {
		r, _ := typical(http.MethodGet, target, "")
		q := newRequest(r, []string{"sid"})
		return string(appendEnvelope(nil, q, nil))
	}
	if a, b := envelope("/p/42-walnut-desk"), envelope("/p/7-lamp-2"); a != b {
		t.Errorf("slugs make other envelopes:\n%q\n%q", a, b)
	}
	for _, target := range []string{"/p/walnut-desk", "/p/42-walnut.desk", "/p/42-Walnut", "/p/42-walnut%2ddesk", "/p/42-walnut-desk/", "/p/42-", "/42-walnut-desk/x",
		"/p/42-walnut-desk?x=1", "/p/42-" + strings.Repeat("a", longestSlug)} {
		path, _, _ := strings.Cut(target, "?")
		if !strings.Contains(envelope(target), path) {
			t.Errorf("%s is not in its envelope", target)
		}
	}
	w := newWAF(t, Options{Profile: ProfilePlain})
	for _, target := range []string{"/p/1-red-lamp", "/p/2-blue-desk", "/p/1-red-lamp"} {
		r, _ := typical(http.MethodGet, target, "")
		if v := w.Inspect(r, nil); v.Objects() || !v.Fast {
			t.Errorf("%s: %+v", target, v)
		}
	}
	if n := w.live.Load().known.envelopes.len(); n != 3 {
		t.Errorf("%d parts are known, want one envelope and two paths", n)
	}
}

// The rules on paths find in a path what the whole rule set finds, of words that its lists look for and with all that can stand in a path.
func TestPathRulesAgree(t *testing.T) {
	t.Parallel()
	w := newWAF(t, Options{Profile: ProfilePlain})
	rs := w.live.Load().rules
	words := listedWords(t)
	found := 0
	thin(t, func(t *rapid.T) {
		word := rapid.SampledFrom(words).Draw(t, "word")
		target := "/p/" + rapid.SampledFrom([]string{"42-", "42-a", "", "x/"}).Draw(t, "before") + word + rapid.SampledFrom([]string{"", "-desk", ".bak", "/"}).Draw(t, "after")
		r, _ := typical(http.MethodGet, "/", "")
		r.URL.Path, r.URL.RawPath = target, target
		q := newRequest(r, []string{"sid"})
		bare := &part{method: q.method, uri: q.uri, proto: q.proto, host: q.host, headers: q.cleanHeaders}
		if v := run(rs.full, bare); len(v.Matches) > 0 {
			found++
			if !anyMatch(rs.path, &part{method: q.method, uri: q.uri, proto: q.proto}) {
				t.Fatalf("%s: the rules on paths do not find %+v", q.uri, v.Matches)
			}
		}
	})
	if found == 0 {
		t.Error("nothing was ever found: this shows nothing")
	}
}

// listedWords are those of the rule set's lists that can stand in a path as they are.
func listedWords(t *testing.T) (words []string) {
	t.Helper()
	names, err := fs.Glob(crs.FS, crsFolder+"*.data")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := fs.ReadFile(crs.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			line = strings.Trim(strings.TrimSpace(line), "/")
			if line != "" && !strings.ContainsAny(line, "#?%\\ \"'<>{}|^`") && isASCII(line) {
				words = append(words, line)
			}
		}
	}
	if len(words) < 500 {
		t.Fatalf("%d words", len(words))
	}
	return words
}
