package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"strings"
	"testing"
	"time"
)

// shopper is one person with a cookie jar.
type shopper struct {
	base   string
	client *http.Client
}

func newShopper(base string) *shopper {
	jar, _ := cookiejar.New(nil) // never fails without options
	return &shopper{base: base, client: &http.Client{Jar: jar, Timeout: time.Minute}}
}

// answer is a response read whole.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

func (a answer) into(v any) error {
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("%w in %s", err, a.Body)
	}
	return nil
}

// rawBody is sent as it is, other bodies as JSON.
type rawBody string

func (s *shopper) do(method, path string, body any, header ...string) (answer, error) {
	var r io.Reader
	if raw, ok := body.(rawBody); ok {
		r = strings.NewReader(string(raw))
	} else if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, s.base+path, r)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, raw}, err
}

// putOff tells whether the answer is to come back later.
func (a answer) putOff() bool {
	return a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != ""
}

// shed tells whether the edge has refused the request because the machine has no capacity for it now.
func (a answer) shed() bool { return a.putOff() && strings.Contains(string(a.Body), capacity) }

// capacity is what the edge says to whom it refuses for want of it.
const capacity = "more is asked for"

// patiently is do of somebody who comes back when told to, for a minute, while again says so of the answer.
func (s *shopper) patiently(again func(answer) bool, method, path string, body any, header ...string) (answer, error) {
	for end := time.Now().Add(time.Minute); ; {
		a, err := s.do(method, path, body, header...)
		if err != nil || !again(a) || time.Now().After(end) {
			return a, err
		}
		seconds, _ := strconv.Atoi(a.Header.Get("Retry-After"))
		time.Sleep(time.Duration(min(max(seconds, 1), 5)) * time.Second) // as it was told to
	}
}

// must is do for calls that have to answer with a status; told to come back later it does so.
func (s *shopper) must(t *testing.T, want int, method, path string, body any, header ...string) answer {
	t.Helper()
	a, err := s.patiently(func(a answer) bool { return a.putOff() && want != a.Status }, method, path, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.Status != want {
		t.Fatalf("%s %s: %d, want %d: %s", method, path, a.Status, want, a.Body)
	}
	return a
}

type product struct {
	ID           int64  `json:"id"`
	Name         string `json:"name"`
	Price        int64  `json:"price"`
	Availability string `json:"availability"`
}

type order struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Total  int64  `json:"total"`
}

// admin calls with the platform's token.
func (p *platform) admin(t *testing.T, want int, method, path string, body any) answer {
	t.Helper()
	return newShopper(p.URL).must(t, want, method, path, body, "Authorization", "Bearer "+p.token)
}

// newProduct makes a product with so many units.
func (p *platform) newProduct(t *testing.T, sku string, price, units int64) product {
	t.Helper()
	var made product
	a := p.admin(t, http.StatusCreated, "POST", "/products",
		map[string]any{"sku": sku, "name": "Test article " + sku, "price": price, "category": "Tests/Articles"})
	if err := a.into(&made); err != nil {
		t.Fatal(err)
	}
	p.admin(t, http.StatusOK, "PUT", fmt.Sprintf("/products/%d/stock", made.ID), map[string]any{"available": units})
	return made
}

func (p *platform) available(t *testing.T, id int64) int64 {
	t.Helper()
	var stock struct {
		Available int64 `json:"available"`
	}
	if err := newShopper(p.URL).must(t, http.StatusOK, "GET", fmt.Sprintf("/products/%d/stock", id), nil).into(&stock); err != nil {
		t.Fatal(err)
	}
	return stock.Available
}
