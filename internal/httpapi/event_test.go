package httpapi

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/shop"
)

// taken remembers events.
type taken struct {
	events []analytics.Event
	err    error
}

func (t *taken) Add(_ context.Context, events []analytics.Event) error {
	if t.err == nil {
		t.events = append(t.events, events...)
	}
	return t.err
}

func TestEventsAreTaken(t *testing.T) {
	t.Parallel()
	to := &taken{}
	b := setup(t, func(d *Deps) { d.Events = to })
	for _, ct := range []string{"application/json", "application/x-ndjson", "text/plain;charset=UTF-8", ""} {
		a := b.want(b.do("POST", "/events", `{"kind":"view","product":7,"shopper":"x"}`, "Content-Type: "+ct), http.StatusAccepted, "")
		if strings.TrimSpace(string(a.body)) != `{"accepted":1}` {
			t.Errorf("%s: %s", ct, a.body)
		}
	}
	b.want(b.do("POST", "/events", `[{"kind":"add","product":7},{"kind":"search","query":"lamp"}]`), http.StatusAccepted, "")
	if len(to.events) != 6 || to.events[5].Query != "lamp" || to.events[0].Shopper != analytics.HashShopper("x") || to.events[0].Source != "client" {
		t.Errorf("%+v", to.events)
	}
}

// The shopper of an event is the session's, so that what is reported and what is bought come together.
func TestEventsBelongToTheSession(t *testing.T) {
	t.Parallel()
	to := &taken{}
	b := setup(t, func(d *Deps) { d.Events = to })
	a := b.want(b.do("POST", "/cart/add", `{"product_id":1,"quantity":1}`), 200, "")
	cookie := a.Cookies()
	r := request("POST", "Cookie", "")
	if len(cookie) == 0 {
		t.Fatal("no cookie")
	}
	r.Header.Set("Cookie", "other=1; "+cookie[0].Name+"="+cookie[0].Value)
	cart := string(a.body)
	id := cart[strings.Index(cart, `"id":"`)+6:]
	id = id[:strings.IndexByte(id, '"')]
	if got := claimedShopper(r); got != analytics.HashShopper(id) || got == 0 {
		t.Errorf("shopper %d of cart %s", got, id)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if claimedShopper(r) != 0 {
		t.Error("another site's page reports in the shopper's name")
	}
}

func TestEventsThatAreNotTaken(t *testing.T) {
	t.Parallel()
	to := &taken{}
	b := setup(t, func(d *Deps) { d.Events = to })
	p := b.want(b.do("POST", "/events", `[{"kind":"view"},{"kind":"order","amount":1,"currency":"EUR"}]`), 422, shop.CodeInvalid).problem(t)
	if len(p.Errors) != 1 || p.Errors[0].Field != "events[1].kind" {
		t.Errorf("%+v", p)
	}
	p = b.want(b.do("POST", "/events", "{\"kind\":\"view\"}\n{\"kind\":"), 400, shop.CodeMalformed).problem(t)
	if len(p.Errors) != 1 || p.Errors[0].Field != "events[1]" {
		t.Errorf("%+v", p)
	}
	b.want(b.do("POST", "/events", ""), 400, shop.CodeMalformed)
	b.want(b.do("POST", "/events", `[{"kind":"view"}]`, "Content-Type: application/x-www-form-urlencoded"), 415, codeUnsupported)
	b.want(b.do("POST", "/events", "["+strings.Repeat(" ", maxBody)+"]"), 413, codeTooLarge)
	if len(to.events) > 0 {
		t.Errorf("taken: %+v", to.events)
	}
	to.err = analytics.ErrBusy
	a := b.want(b.do("POST", "/events", `[{"kind":"view"}]`), 503, shop.CodeUnavailable)
	if a.Header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
	off := setup(t)
	off.want(off.do("POST", "/events", `[{"kind":"view"}]`), 503, shop.CodeUnavailable)
}
