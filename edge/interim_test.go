package edge

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"testing"
)

// Early hints reach whoever waits for the origin, and stay out of what is kept.
func TestInterimAnswers(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</app.css>; rel=preload; as=style")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		product(w, r)
	})
	s := start(t, cached(Options{}), a)
	for i, want := range []int{1, 0} {
		hints := 0
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if hints++; code != http.StatusEarlyHints || h.Get("Link") == "" {
				t.Errorf("%d %v", code, h)
			}
			return nil
		}}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, s.url+"/p", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if hints != want || res.StatusCode != 200 || string(body) != "product /p" || res.Header.Get("Link") != "" {
			t.Errorf("%d. answer: %d hints, %d %q %v", i+1, hints, res.StatusCode, body, res.Header)
		}
	}
	if a.hits.Load() != 1 {
		t.Errorf("the origin was asked %d times", a.hits.Load())
	}
}

// only-if-cached is answered with 504 when there is nothing, and costs the origin nothing.
func TestOnlyIfCached(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(product)
	s := start(t, cached(Options{}), a)
	res, body := s.do(t, "GET", "/p", "", "Cache-Control", "only-if-cached")
	wantProblem(t, res, body, 504, "gateway-timeout")
	if a.hits.Load() != 0 || res.Header.Get("Cache-Status") != "stampede; detail=only-if-cached" {
		t.Errorf("asked %d times, %v", a.hits.Load(), res.Header)
	}
	s.do(t, "GET", "/p", "")
	if res, body := s.do(t, "GET", "/p", "", "Cache-Control", "only-if-cached"); res.StatusCode != 200 || body != "product /p" {
		t.Errorf("%d %q", res.StatusCode, body)
	}
}
