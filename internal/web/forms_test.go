package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/stampede-shop/stampede/internal/shop"
)

func line(id, quantity string) url.Values {
	return url.Values{"product_id": {id}, "quantity": {quantity}}
}

func TestGuestBuysCancelsAndFindsTheOrder(t *testing.T) {
	t.Parallel()
	f := newFakeShop(sample(5)...)
	s := newShopper(t, newSite(t, f))
	s.get("/bag").wants(t, http.StatusOK, "nothing in it yet")
	s.post("/bag/add", line("1", "2")).wants(t, http.StatusOK, "Copper saucepan no. 1 is in your bag.", "$9.98")
	s.post("/bag/add", line("2", "1")).wants(t, http.StatusOK, "3 items")
	s.post("/bag/update", line("1", "3")).wants(t, http.StatusOK, "4 items")
	a := s.post("/bag/update", line("2", "0"))
	a.wants(t, http.StatusOK, "3 items")
	a.lacks(t, "Garden trowel")
	a = s.post("/bag/checkout", url.Values{"outcome": {"approve"}})
	a.wants(t, http.StatusOK, "Your order is confirmed", "$14.97", "Cancel this order")
	order := a.Request.URL.Path
	if !strings.HasPrefix(order, "/account/orders/") || f.stock[1] != 997 {
		t.Errorf("at %s with %d left", order, f.stock[1])
	}
	s.get("/bag").wants(t, http.StatusOK, "nothing in it yet")
	s.get("/account").wants(t, http.StatusOK, order, "Orders made here as a guest")
	s.post(order+"/cancel", nil).wants(t, http.StatusOK, "Cancelled")
	if f.stock[1] != 1000 {
		t.Errorf("%d left after the cancellation, want 1000", f.stock[1])
	}
	newShopper(t, s.srv).get(order).wants(t, http.StatusNotFound)
}

func TestSecondClickOnCheckoutShowsTheOrder(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(2)...)))
	s.post("/bag/add", line("1", "1"))
	first := s.post("/bag/checkout", nil, "Stampede-Op", "op-1")
	again := s.post("/bag/checkout", nil)
	repeated := s.post("/bag/checkout", nil, "Stampede-Op", "op-1")
	for _, a := range []answer{again, repeated} {
		a.wants(t, http.StatusOK, "Confirmed")
		if a.Request.URL.Path != first.Request.URL.Path {
			t.Errorf("led to %s, want %s", a.Request.URL, first.Request.URL)
		}
	}
}

func TestEditSentTwiceByTheEdgeHappensOnce(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(2)...)))
	s.post("/bag/add", line("2", "1"))
	for range 2 {
		s.post("/bag/add", line("1", "1"), "Stampede-Op", "op-7").wants(t, http.StatusOK, "2 items")
	}
}

func TestCheckoutRefusalsAreKind(t *testing.T) {
	t.Parallel()
	f := newFakeShop(sample(5)...)
	s := newShopper(t, newSite(t, f))
	s.post("/bag/checkout", nil).wants(t, http.StatusOK, "nothing in it yet")
	s.post("/bag/add", line("1", "5"))
	s.post("/bag/checkout", url.Values{"outcome": {"decline"}}).wants(t, http.StatusPaymentRequired, "was declined", `role="alert"`, "5 items")
	s.post("/bag/checkout", url.Values{"outcome": {"haggle"}}).wants(t, http.StatusUnprocessableEntity, "is not one the test provider knows")
	f.stock[1] = 2
	s.get("/bag").wants(t, http.StatusOK, "Only 2 left")
	s.post("/bag/checkout", nil).wants(t, http.StatusConflict, "Copper saucepan no. 1: you asked for 5, 2 left", "5 items")
	f.products[0].Price = 123456
	s.post("/bag/checkout", nil).wants(t, http.StatusConflict, "was $4.99, now $1,234.56", "$6,172.80")
	f.products = f.products[1:]
	s.post("/bag/checkout", nil).wants(t, http.StatusConflict, "Copper saucepan no. 1: sold out", "No longer sold")
}

func TestUnansweredPaymentIsPending(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(2)...)))
	s.post("/bag/add", line("1", "1"))
	a := s.post("/bag/checkout", url.Values{"outcome": {"timeout"}})
	a.wants(t, http.StatusOK, "Waiting for the payment", "need not order again")
	a.lacks(t, "Cancel this order")
	if a.Header.Get("Refresh") == "" {
		t.Error("the page does not look again by itself")
	}
}

func TestAccountTakesBagAndOrdersAlong(t *testing.T) {
	t.Parallel()
	f := newFakeShop(sample(5)...)
	srv := newSite(t, f)
	s := newShopper(t, srv)
	join := url.Values{"email": {"ann@example.org"}, "password": {"correct horse"}, "name": {`Ann "O'Neil" <b>`}}
	s.post("/bag/add", line("1", "1"))
	s.post("/account/register", join).wants(t, http.StatusOK, "signed in as ann@example.org", "Ann &#34;O&#39;Neil&#34; &lt;b&gt;")
	s.get("/bag").wants(t, http.StatusOK, "Copper saucepan")
	s.post("/bag/checkout", nil).wants(t, http.StatusOK, "Confirmed")
	s.get("/account").wants(t, http.StatusOK, "Your orders", "1 item")
	out := s.post("/account/logout", nil)
	out.wants(t, http.StatusOK, "Popular now")
	a := s.get("/account")
	a.wants(t, http.StatusOK, "I am new here")
	a.lacks(t, "1 item", "ann@")

	other := newShopper(t, srv)
	other.post("/bag/add", line("3", "2"))
	other.post("/account/register", join).wants(t, http.StatusConflict, "has an account")
	other.post("/account/login", url.Values{"email": join["email"], "password": {"wrong horse"}}).
		wants(t, http.StatusUnauthorized, "wrong", `value="ann@example.org"`)
	other.post("/account/register", url.Values{"email": {"nobody"}, "password": {"x"}}).
		wants(t, http.StatusUnprocessableEntity, "Email must be", "Password must")
	a = other.post("/account/login", join)
	a.wants(t, http.StatusOK, "signed in as ann@example.org", "1 item")
	a.lacks(t, "correct horse")
	other.get("/bag").wants(t, http.StatusOK, "Wooden train")
}

func TestPersonalPagesAreNeverStored(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(2)...)))
	added := s.post("/bag/add", line("1", "1"))
	pages := []answer{added, s.get("/bag"), s.get("/account"), s.post("/bag/checkout", nil)}
	for _, a := range pages {
		h := a.Header
		if h.Get("Cache-Control") != "private, no-store" || h.Get("Surrogate-Control") != "" || h.Get("ETag") != "" {
			t.Errorf("%s may be kept: %v", a.Request.URL, h)
		}
	}
}

func TestSessionCookieIsGuarded(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(2)...)))
	s.c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a := s.post("/bag/add", line("1", "1"))
	if a.StatusCode != http.StatusSeeOther || len(a.Cookies()) != 1 {
		t.Fatalf("%d with cookies %v", a.StatusCode, a.Cookies())
	}
	if c := a.Cookies()[0]; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
		t.Errorf("cookie %v", c)
	}
	if again := s.post("/bag/add", line("2", "1")); len(again.Cookies()) != 0 {
		t.Errorf("a second cookie: %v", again.Cookies())
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	f := newFakeShop(sample(2)...)
	s := newShopper(t, newSite(t, f))
	s.post("/bag/add", line("1", "1"))
	for _, path := range []string{"/bag/add", "/bag/update", "/bag/checkout", "/account/login", "/account/register", "/account/logout", "/account/orders/x/cancel"} {
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
			{"Sec-Fetch-Site", "", "Origin", "null"}} {
			s.post(path, line("1", "9"), header...).wants(t, http.StatusForbidden, "sent from another site")
		}
		s.get(path).wants(t, http.StatusMethodNotAllowed)
	}
	s.get("/bag").wants(t, http.StatusOK, "1 item<")
	s.post("/bag/add", line("1", "1"), "Sec-Fetch-Site", "", "Origin", s.srv.URL).wants(t, http.StatusOK, "2 items")
}

func TestWrongFormsAreRefused(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(2)...)))
	for _, form := range []url.Values{line("x", "1"), line("", "1"), line("1", "0"), line("1", "-2"), line("1", "1001"), line("1", "1e3"), line("-1", "1")} {
		s.post("/bag/add", form).wants(t, http.StatusUnprocessableEntity, "That did not work")
	}
	s.post("/bag/add", line("77", "1")).wants(t, http.StatusNotFound)
	s.post("/bag/add", url.Values{"product_id": {strings.Repeat("1", maxFormBody+1)}}).wants(t, http.StatusBadRequest, "could not be read")
	s.post("/bag/add", line("1", "600"))
	s.post("/bag/add", line("1", "600")).wants(t, http.StatusUnprocessableEntity, "at most 1000", "600 items")
}

// Every form of every page leads to an address that exists, with a method that works without JavaScript.
func TestFormsLeadSomewhere(t *testing.T) {
	t.Parallel()
	s := newShopper(t, newSite(t, newFakeShop(sample(3)...)))
	s.post("/bag/add", line("1", "1"))
	known := map[string]bool{}
	for _, p := range Patterns() {
		known[p] = true
	}
	docs := []*html.Node{s.get("/").doc, s.get("/p/1").doc, s.get("/bag").doc, s.get("/account").doc, s.post("/bag/checkout", nil).doc}
	seen := 0
	for _, doc := range docs {
		each(doc, "form", func(a map[string]string) {
			pattern := strings.ToUpper(a["method"]) + " " + a["action"]
			if strings.HasSuffix(pattern, "/cancel") {
				pattern = "POST /account/orders/{id}/cancel"
			}
			if !known[pattern] {
				t.Errorf("a form leads to %q", pattern)
			}
			seen++
		})
	}
	if seen < 10 {
		t.Errorf("only %d forms seen", seen)
	}
}

func TestMoney(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{0, "USD", "$0.00"}, {5, "USD", "$0.05"}, {129900, "USD", "$1,299.00"}, {123456789, "EUR", "€1,234,567.89"}, {-1050, "GBP", "−£10.50"},
		{1500, "JPY", "¥1,500"}, {1, "KWD", "KWD 0.001"}, {100, "SEK", "SEK 1.00"}, {100, "", "1.00"}, {-1 << 63, "USD", "−$92,233,720,368,547,758.08"},
	} {
		if got := money(c.minor, c.currency); got != c.want {
			t.Errorf("money(%d, %q) = %q, want %q", c.minor, c.currency, got, c.want)
		}
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	got := attributes([]byte(`{"b_c":[1,"x",["deep"]],"a":true,"n":null,"o":{"p":1},"z":2.50}`))
	want := []attribute{{"a", "yes"}, {"b c", "1, x"}, {"z", "2.5"}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%v, want %v", got, want)
	}
	if attributes(nil) != nil || attributes([]byte(`[1]`)) != nil {
		t.Error("something was made of nothing")
	}
}

func TestCategoriesBelow(t *testing.T) {
	t.Parallel()
	products := []shop.Product{{Category: "a/b"}, {Category: "a/c/d"}, {Category: "a/c"}, {Category: "ab/x"}, {Category: ""}}
	if got := below("a", products); len(got) != 2 || got[0] != (crumb{"c", "a/c"}) || got[1] != (crumb{"b", "a/b"}) {
		t.Errorf("below a: %v", got)
	}
	if got := below("", products); len(got) != 2 || got[0].Path != "a" || got[1].Path != "ab" {
		t.Errorf("below the root: %v", got)
	}
}
