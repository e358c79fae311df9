package web

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

func TestMinified(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a b , c > d { color : red ; margin : 0 .5rem ; }\n":                              "a b,c > d{color:red;margin:0 .5rem}",
		"/* why */ .x :is(h1, h2) { a: calc(1px + 2px) }":                                 ".x :is(h1,h2){a:calc(1px + 2px)}",
		"@media (min-width: 9px) { .y::after { content: \" ×\"; } /* } */ }\n.z { b: c }": "@media (min-width:9px){.y::after{content:\" ×\"}}.z{b:c}",
	} {
		if got := strings.TrimSpace(minified(in)); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// What stands in a page is what the policy names, or browsers would show it bare.
func TestPolicyNamesTheStylesThatArePartOfThePage(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(5)...)))
	for _, path := range []string{"/", "/bag", "/p/404"} {
		a := s.get(path)
		_, rest, _ := strings.Cut(a.body, "<style>")
		css, _, found := strings.Cut(rest, "</style>")
		sum := sha256.Sum256([]byte(css))
		want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"
		if policy := a.Header.Get("Content-Security-Policy"); !found || len(css) < 1000 || !strings.Contains(policy, want) {
			t.Errorf("%s: %d bytes of styles, policy %s, want %s", path, len(css), policy, want)
		}
		if a.StatusCode == http.StatusOK && strings.Count(a.body, "<style") != 1 {
			t.Errorf("%s has other styles", path)
		}
	}
}
