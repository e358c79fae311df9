package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/p/7-lamp?x=1": "/p/7-lamp?x=1", "": "/", "p": "/", "//evil.example": "/", "https://evil.example/": "/", "/\\evil.example": "/", "/queue?next=/queue": "/",
		"/%2f/evil.example": "/", "/a\r\nSet-Cookie: x": "/", "javascript:alert(1)": "/",
	} {
		if got := LocalPath(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// The page of a place works without scripts: it comes again by itself until it is the shopper's turn.
func TestWaitingPage(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/queue", nil)
	show := func(p Place) *http.Response {
		w := httptest.NewRecorder()
		Waiting(w, r, http.StatusServiceUnavailable, p)
		return w.Result()
	}
	body := func(res *http.Response) string {
		var b strings.Builder
		if err := res.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	in := show(Place{Room: "lamps", Position: 41, Estimate: 3 * time.Minute, Next: "/p/7", Again: 5, Opens: time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)})
	if got := in.Header.Get("Refresh"); got != "5; url=/queue?next=%2Fp%2F7&room=lamps" || in.StatusCode != 503 {
		t.Errorf("%d, Refresh %q", in.StatusCode, got)
	}
	for _, want := range []string{">41</b> before you", "about 3 minutes", "27 November 2026, 08:00", `data-next="/p/7"`, "no-store", "Content-Security-Policy"} {
		if text := body(show(Place{Room: "lamps", Position: 41, Estimate: 3 * time.Minute, Next: "/p/7", Again: 5, Opens: time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)})); !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if out := show(Place{Hopeless: true, Next: "/"}); out.Header.Get("Refresh") != "" || !strings.Contains(body(out), "Sold out") {
		t.Errorf("hopeless: %v", out.Header)
	}
	if on := show(Place{Admitted: true, Next: "/p/7"}); on.StatusCode != http.StatusSeeOther || on.Header.Get("Location") != "/p/7" {
		t.Errorf("admitted: %d %v", on.StatusCode, on.Header)
	}
}

func TestLaterPage(t *testing.T) {
	t.Parallel()
	for method, refresh := range map[string]string{"GET": "4", "POST": ""} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, "/bag/add", nil)
		r.Header.Set("Referer", "http://"+r.Host+"/p/7-lamp")
		Later(w, r, 429, 3, "Too fast")
		if w.Code != 429 || !strings.Contains(w.Body.String(), "<h1>Too fast</h1>") || !strings.Contains(w.Body.String(), "in 4 s") || w.Header().Get("Retry-After") != "3" || w.Header().Get("Refresh") != refresh {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
		if method == "POST" && !strings.Contains(w.Body.String(), `href="/p/7-lamp"`) {
			t.Errorf("no way back: %s", w.Body)
		}
	}
}
