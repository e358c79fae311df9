package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

func TestSharedPages(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(60)...)))
	for path, text := range map[string]string{
		"/":                            "Popular now",
		"/c/Kitchen":                   "Pots &amp; Pans",
		"/c/Kitchen/Pots%20&%20Pans":   "Copper saucepan no. 1<",
		"/c/Toys?sort=-price":          `<a href="/c/Toys?sort=-price" aria-current="true">`,
		"/search?q=bread":              "Results for “bread”",
		"/search?q=zzz":                "Nothing in the shop matches",
		"/p/1-copper-saucepan-no-1":    "Add to bag",
		"/p/%31-copper-saucepan-no-1":  "In stock",
		"/img/2.svg":                   ">GT<",
		assetURL("style.css"):          "--paper",
		"/assets/shop.js":              "standIn",
		assetURL("icon.svg") + "&x=<y": "<svg",
	} {
		t.Run(path, func(t *testing.T) {
			a := s.get(path)
			a.wants(t, http.StatusOK, text)
			if a.Header.Values("Set-Cookie") != nil {
				t.Error("a shared page sets a cookie")
			}
			if a.Header.Get("Vary") != "" {
				t.Errorf("Vary: %s", a.Header.Get("Vary"))
			}
			for _, h := range []string{"Surrogate-Control", "Surrogate-Key", "ETag"} {
				if a.Header.Get(h) == "" {
					t.Errorf("no %s", h)
				}
			}
			if !strings.HasPrefix(a.Header.Get("Cache-Control"), "public, max-age=") {
				t.Errorf("Cache-Control: %s", a.Header.Get("Cache-Control"))
			}
			if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
				t.Errorf("Content-Security-Policy: %s", csp)
			}
		})
	}
}

func TestSharedPageIsTheSameForEverybodyAndRevalidates(t *testing.T) {
	t.Parallel()
	srv := newSite(t, newFakeShop(sample(5)...))
	guest, buyer := newShopper(t, srv), newShopper(t, srv)
	buyer.post("/bag/add", url.Values{"product_id": {"1"}})
	for _, path := range []string{"/", "/p/1-copper-saucepan-no-1", "/c/Toys", "/search?q=train"} {
		a, b := guest.get(path), buyer.get(path)
		if a.body != b.body || a.Header.Get("ETag") != b.Header.Get("ETag") {
			t.Errorf("%s differs between shoppers", path)
		}
		r, _ := http.NewRequest(http.MethodGet, srv.URL+path, nil)
		r.Header.Set("If-None-Match", `"other", `+a.Header.Get("ETag"))
		if again := guest.do(r); again.StatusCode != http.StatusNotModified || again.body != "" {
			t.Errorf("%s: %d with %d bytes, want 304", path, again.StatusCode, len(again.body))
		}
	}
}

func TestHomeLeadsToCategoriesAndProducts(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(60)...)))
	var links []string
	each(s.get("/").doc, "a", func(a map[string]string) { links = append(links, a["href"]) })
	for _, want := range []string{"/c/Kitchen", "/c/Garden", "/p/1-copper-saucepan-no-1", "/bag", "/account"} {
		if !slices.Contains(links, want) {
			t.Errorf("no link to %s in %v", want, links)
		}
	}
	for _, link := range links {
		if strings.HasPrefix(link, "/c/") || strings.HasPrefix(link, "/p/") {
			s.get(link).wants(t, http.StatusOK)
		}
	}
}

func TestPagerReachesEveryProductOnce(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(130)...)))
	seen := map[string]int{}
	for next := "/search?q=no.&sort=price"; next != ""; {
		a := s.get(next)
		a.wants(t, http.StatusOK)
		next = ""
		each(a.doc, "a", func(at map[string]string) {
			if strings.HasPrefix(at["href"], "/p/") {
				seen[at["href"]]++
			}
			if at["rel"] == "next" {
				next = at["href"]
			}
		})
	}
	if len(seen) != 130 {
		t.Errorf("%d products reached, want 130", len(seen))
	}
	s.get("/search?q=no.&cursor=99x").wants(t, http.StatusUnprocessableEntity, "Cursor: is not one of ours")
}

func TestProductAddressIsCanonical(t *testing.T) {
	t.Parallel()
	srv := newSite(t, newFakeShop(sample(3)...))
	s := newShopper(t, srv)
	s.c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range []string{"/p/2", "/p/2-old-name", "/p/02-garden-trowel-no-2"} {
		a := s.get(path)
		if a.StatusCode != http.StatusMovedPermanently || a.Header.Get("Location") != "/p/2-garden-trowel-no-2" {
			t.Errorf("%s: %d to %q", path, a.StatusCode, a.Header.Get("Location"))
		}
	}
	for _, path := range []string{"/p/999", "/p/x", "/p/-1", "/p/99999999999999999999", "/c/Nowhere", "/nothing/here", "/img/1.png", "/img/9.svg", "/assets/no.css"} {
		a := s.get(path)
		a.wants(t, http.StatusNotFound, "could not find")
		if a.Header.Get("Cache-Control") != "private, no-store" || a.Header.Get("Surrogate-Key") != "" {
			t.Errorf("%s may be kept: %v", path, a.Header)
		}
	}
}

func TestStockLineIsLive(t *testing.T) {
	t.Parallel()
	f := newFakeShop(sample(3)...)
	s := newShopper(t, newSite(t, f))
	const path = "/p/1-copper-saucepan-no-1"
	f.stock[1] = 3
	a := s.get(path)
	a.wants(t, http.StatusOK, "Only 3 left", `max="3"`)
	if got := a.Header.Get("Surrogate-Control"); got != "max-age=1, stale-if-error=0" {
		t.Errorf("a page that counts units may be kept: %s", got)
	}
	f.stock[1] = 0
	a = s.get(path)
	a.wants(t, http.StatusOK, "Sold out")
	a.lacks(t, "Add to bag")
	f.stockDown = errors.New("shard1 is down")
	a = s.get(path)
	a.wants(t, http.StatusOK, "In stock", "Add to bag")
	a.lacks(t, "shard1")
}

func TestUntidyProductsAreEscaped(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert(1)</script>"' onmouseover="x" & ` + "\x00\u202e"
	p := shop.Product{ID: 1, SKU: evil, Name: evil, Slug: `a"><b>`, Brand: evil, Category: evil + "/" + `"><img src=x onerror=y>`,
		Description: evil, ImageURL: `javascript:alert(1)`, Price: 1, Currency: `<i>`, Version: 1, Attributes: []byte(`{"<b>":"<script>"}`)}
	q := p
	q.ID, q.ImageURL = 2, `https://x.example/"><script>alert(1)</script>`
	s := newShopper(t, newSite(t, newFakeShop(p, q)))
	s.post("/bag/add", url.Values{"product_id": {"1"}})
	pages := []string{"/", productURL(p), productURL(q), categoryURL(p.Category), "/search?q=" + url.QueryEscape("<script>"), "/bag", "/bag?added=1", "/img/1.svg",
		"/c/" + url.PathEscape("<script>alert(1)</script>")}
	for _, path := range pages {
		a := s.get(path)
		a.lacks(t, "<script>", "<b>", "<img src=x", `href="javascript:`, `src="javascript:`)
	}
	s.get("/p/1").wants(t, http.StatusOK)
}

func TestBrokenCatalogueIsExplained(t *testing.T) {
	t.Parallel()
	f := newFakeShop(sample(3)...)
	s := newShopper(t, newSite(t, f))
	f.broken = errors.New("dial tcp 10.0.0.7: refused")
	a := s.get("/")
	a.wants(t, http.StatusInternalServerError, "went wrong on our side")
	a.lacks(t, "10.0.0.7")
	f.broken = shop.Errorf(shop.CodeUnavailable, "try again")
	a = s.get("/p/1")
	a.wants(t, http.StatusServiceUnavailable, "very busy")
	if a.Header.Get("Retry-After") == "" || a.Header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("headers: %v", a.Header)
	}
}

func TestProgramsGetProblems(t *testing.T) {
	t.Parallel()
	f := newFakeShop(sample(3)...)
	mux := http.NewServeMux()
	mux.HandleFunc("/products/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	if err := Register(mux, fakeDeps(t, f)); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	s := newShopper(t, srv)
	for _, c := range []struct {
		method, path, header, value string
		status                      int
		html                        bool
	}{
		{"GET", "/products/1", "Accept", "text/html", http.StatusTeapot, false},
		{"GET", "/p/77", "Accept", "*/*", http.StatusNotFound, true},
		{"GET", "/p/77", "Accept", "application/json", http.StatusNotFound, false},
		{"GET", "/nowhere", "Accept", "*/*", http.StatusNotFound, false},
		{"GET", "/nowhere", "Accept", "text/html,*/*", http.StatusNotFound, true},
		{"POST", "/bag", "Content-Type", "application/json", http.StatusMethodNotAllowed, false},
		{"DELETE", "/bag", "Accept", "application/problem+json", http.StatusMethodNotAllowed, false},
	} {
		r, _ := http.NewRequest(c.method, srv.URL+c.path, nil)
		r.Header.Set(c.header, c.value)
		a := s.do(r)
		want := "application/problem+json"
		if c.html {
			want = "text/html; charset=utf-8"
		}
		if a.StatusCode != c.status || c.status != http.StatusTeapot && a.Header.Get("Content-Type") != want {
			t.Errorf("%+v: %d %s", c, a.StatusCode, a.Header.Get("Content-Type"))
		}
	}
}

// A page that exists is not "not found" for another method.
func TestWrongMethod(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(1)...)))
	for call, allow := range map[string]string{
		"PUT /bag": "GET, HEAD", "DELETE /": "GET, HEAD", "POST /p/1-copper-saucepan-no-1": "GET, HEAD", "GET /bag/add": "POST", "PUT /account/logout": "POST",
	} {
		method, path, _ := strings.Cut(call, " ")
		r, err := http.NewRequest(method, s.srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := s.do(r)
		a.wants(t, http.StatusMethodNotAllowed, "/problems/method-not-allowed")
		if a.Header.Get("Allow") != allow {
			t.Errorf("%s: Allow %q, want %q", call, a.Header.Get("Allow"), allow)
		}
	}
	s.post("/nothing", nil).wants(t, http.StatusNotFound)
}
