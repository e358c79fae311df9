package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A plain session lists, searches, views, adds, buys; the mail is there; the order is in the history.
func TestGuestJourney(t *testing.T) {
	p := shared.get(t)
	s := newShopper(p.URL)
	var list []product
	a := s.must(t, http.StatusOK, "GET", "/products?limit=20", nil)
	if err := a.into(&list); err != nil || len(list) != 20 {
		t.Fatalf("list: %v, %d products", err, len(list))
	}
	if a.Header.Get("Set-Cookie") != "" || !strings.Contains(a.Header.Get("Link"), `rel="next"`) {
		t.Errorf("list headers: %v", a.Header)
	}
	word := strings.Fields(list[0].Name)[0]
	var found []product
	if err := s.must(t, http.StatusOK, "GET", "/products?q="+url.QueryEscape(word), nil).into(&found); err != nil || len(found) == 0 {
		t.Fatalf("search %q: %v, %d products", word, err, len(found))
	}
	item := list[3]
	s.must(t, http.StatusOK, "GET", fmt.Sprintf("/products/%d", item.ID), nil)
	before := p.available(t, item.ID)
	s.must(t, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 2})
	var o order
	if err := s.must(t, http.StatusCreated, "POST", "/orders/checkout", nil).into(&o); err != nil || o.Status != "confirmed" || o.Total != 2*item.Price {
		t.Fatalf("order %+v (%v), price %d", o, err, item.Price)
	}
	s.must(t, http.StatusOK, "GET", "/orders/"+o.ID, nil)
	newShopper(p.URL).must(t, http.StatusNotFound, "GET", "/orders/"+o.ID, nil)
	again := s.must(t, http.StatusUnprocessableEntity, "POST", "/orders/checkout", nil)
	if !strings.Contains(string(again.Body), o.ID) || !strings.Contains(string(again.Body), "empty-cart") {
		t.Errorf("checkout of a bought cart: %s", again.Body)
	}
	eventually(t, time.Minute, "confirmation mail", func() error {
		_, err := os.Stat(filepath.Join(p.data, "mail", o.ID+".eml"))
		return err
	})
	eventually(t, time.Minute, "stock taken", func() error {
		if now := p.available(t, item.ID); now != before-2 {
			return fmt.Errorf("%d left of %d", now, before)
		}
		return nil
	})
	s.must(t, http.StatusOK, "POST", "/orders/"+o.ID+"/cancel", nil)
	s.must(t, http.StatusOK, "POST", "/orders/"+o.ID+"/cancel", nil)
	eventually(t, time.Minute, "restocked once", func() error {
		if now := p.available(t, item.ID); now != before {
			return fmt.Errorf("%d, want %d", now, before)
		}
		return nil
	})
}

// A guest buys, registers, signs out and in again elsewhere: cart and orders follow, old cookies do not work.
func TestAccountJourney(t *testing.T) {
	p := shared.get(t)
	item := p.newProduct(t, "E2E-ACC", 1234, 100)
	email := fmt.Sprintf("ann-%d@example.com", time.Now().UnixNano())
	s := newShopper(p.URL)
	s.must(t, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 1})
	var first order
	if err := s.must(t, http.StatusCreated, "POST", "/orders/checkout", nil).into(&first); err != nil {
		t.Fatal(err)
	}
	guestCookies := s.client.Jar.Cookies(mustURL(t, p.URL))
	s.must(t, http.StatusCreated, "POST", "/users", map[string]any{"email": email, "password": "correct horse", "name": "Ann"})
	s.must(t, http.StatusOK, "GET", "/users/me", nil)
	s.must(t, http.StatusOK, "GET", "/orders/"+first.ID, nil)
	old := newShopper(p.URL)
	old.client.Jar.SetCookies(mustURL(t, p.URL), guestCookies)
	old.must(t, http.StatusNotFound, "GET", "/orders/"+first.ID, nil)

	other := newShopper(p.URL)
	other.must(t, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 3})
	var second order
	if err := other.must(t, http.StatusCreated, "POST", "/orders/checkout", nil).into(&second); err != nil {
		t.Fatal(err)
	}
	other.must(t, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 4})
	other.must(t, http.StatusUnauthorized, "POST", "/users/login", map[string]any{"email": email, "password": "wrong horse"})
	other.must(t, http.StatusOK, "POST", "/users/login", map[string]any{"email": strings.ToUpper(email), "password": "correct horse"})
	var orders []order
	if err := other.must(t, http.StatusOK, "GET", "/orders", nil).into(&orders); err != nil || len(orders) != 2 {
		t.Fatalf("orders after sign-in: %v %+v", err, orders)
	}
	var cart struct {
		ItemCount int64 `json:"item_count"`
	}
	if err := other.must(t, http.StatusOK, "GET", "/cart", nil).into(&cart); err != nil || cart.ItemCount != 4 {
		t.Fatalf("cart after sign-in: %v %+v", err, cart)
	}
	signedIn := other.client.Jar.Cookies(mustURL(t, p.URL))
	other.must(t, http.StatusNoContent, "POST", "/users/logout", nil)
	stale := newShopper(p.URL)
	stale.client.Jar.SetCookies(mustURL(t, p.URL), signedIn)
	stale.must(t, http.StatusUnauthorized, "GET", "/users/me", nil)
	newShopper(p.URL).must(t, http.StatusConflict, "POST", "/users", map[string]any{"email": email, "password": "correct horse", "name": "Eve"})
}

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// What the test payment can be told.
func TestPaymentOutcomes(t *testing.T) {
	t.Parallel() // half a minute of waiting
	p := shared.get(t)
	item := p.newProduct(t, "E2E-PAY", 500, 100)
	pay := func(outcome string) any {
		return map[string]any{"payment": map[string]any{"method": "test", "outcome": outcome}}
	}
	s := newShopper(p.URL)
	s.must(t, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 1})
	s.must(t, http.StatusPaymentRequired, "POST", "/orders/checkout", pay("decline"))
	s.must(t, http.StatusUnprocessableEntity, "POST", "/orders/checkout", pay("nonsense"))
	s.must(t, http.StatusCreated, "POST", "/orders/checkout", pay("approve"))

	var late, lost order
	s.must(t, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 1})
	if err := s.must(t, http.StatusAccepted, "POST", "/orders/checkout", pay("late")).into(&late); err != nil || late.Status != "pending" {
		t.Fatalf("late: %v %+v", err, late)
	}
	other := newShopper(p.URL)
	other.must(t, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 1})
	if err := other.must(t, http.StatusAccepted, "POST", "/orders/checkout", pay("timeout")).into(&lost); err != nil || lost.Status != "pending" {
		t.Fatalf("timeout: %v %+v", err, lost)
	}
	settled := func(s *shopper, id, want string) {
		t.Helper()
		eventually(t, 2*time.Minute, "settled "+want, func() error {
			var o order
			a, err := s.do("GET", "/orders/"+id, nil)
			if err == nil {
				err = a.into(&o)
			}
			if err == nil && o.Status != want {
				err = fmt.Errorf("status %s", o.Status)
			}
			return err
		})
	}
	settled(s, late.ID, "confirmed")
	settled(other, lost.ID, "failed")
	eventually(t, time.Minute, "one unit per confirmed order", func() error {
		if n := p.available(t, item.ID); n != 98 {
			return fmt.Errorf("%d left", n)
		}
		return nil
	})
}
