package loadsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stampede-shop/stampede/loadsim/scenario"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const fakeProducts = 60

// fakeShop speaks the shopper API well enough to be bought from. fault, when set, may answer a request instead: it
// returns true when it did.
type fakeShop struct {
	*httptest.Server
	fault atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool]

	mu       sync.Mutex
	carts    map[string]map[int64]int64
	answered map[string][]byte // by idempotency key
	requests atomic.Int64
	orders   atomic.Int64
	sessions atomic.Int64
	skew     atomic.Int64 // added to every order's total
	extra    atomic.Int64 // added to every quantity put into a cart
}

func newFakeShop(t testing.TB) *fakeShop {
	s := &fakeShop{carts: map[string]map[int64]int64{}, answered: map[string][]byte{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products", s.list)
	mux.HandleFunc("GET /products/{id}", s.product)
	mux.HandleFunc("POST /cart/add", s.add)
	mux.HandleFunc("POST /orders/checkout", s.checkout)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if f := s.fault.Load(); f != nil && (*f)(w, r) {
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// plant makes every n-th request to path (all paths when empty) go wrong.
func (s *fakeShop) plant(path string, n int64, wrong http.HandlerFunc) *atomic.Int64 {
	var seen, planted atomic.Int64
	f := func(w http.ResponseWriter, r *http.Request) bool {
		if path != "" && r.URL.Path != path || r.URL.Query().Get("limit") == "100" {
			return false // discovery is left alone
		}
		if seen.Add(1)%n != 0 {
			return false
		}
		planted.Add(1)
		wrong(w, r)
		return true
	}
	s.fault.Store(&f)
	return &planted
}

func fakeProduct(id int64) map[string]any {
	return map[string]any{
		"id": id, "sku": fmt.Sprint("S", id), "name": fmt.Sprintf("Thing%d \"x\\\" {[", id), "price": 100 + id, "currency": "USD",
		"category": fmt.Sprintf("a/b%d", id%5), "brand": fmt.Sprintf("Brand %d", id%7), "attributes": map[string]any{"id": 9, "tags": []int{1, 2}},
		"availability": "in_stock", "rating": 4.5, "description": nil,
	}
}

func (s *fakeShop) list(w http.ResponseWriter, r *http.Request) {
	limit, _ := strconv.ParseInt(r.URL.Query().Get("limit"), 10, 64)
	from, _ := strconv.ParseInt(r.URL.Query().Get("cursor"), 10, 64)
	list := []any{}
	for id := from + 1; id <= min(from+limit, fakeProducts); id++ {
		list = append(list, fakeProduct(id))
	}
	if from+limit < fakeProducts {
		w.Header().Set("Link", fmt.Sprintf(`</products?limit=%d>; rel="first", </products?limit=%d&cursor=%d>; rel="next"`, limit, limit, from+limit))
	}
	reply(w, http.StatusOK, list)
}

func (s *fakeShop) product(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	reply(w, http.StatusOK, fakeProduct(id))
}

func (s *fakeShop) session(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie("sid"); err == nil {
		return c.Value
	}
	sid := strconv.FormatInt(s.sessions.Add(1), 10)
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: sid, HttpOnly: true})
	return sid
}

func (s *fakeShop) add(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ProductID int64 `json:"product_id"`
		Quantity  int64 `json:"quantity"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("Idempotency-Key") == "" {
		reply(w, http.StatusBadRequest, map[string]any{"detail": "no body or no key"})
		return
	}
	sid := s.session(w, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.Header.Get("Idempotency-Key")
	if s.answered[key] == nil {
		if s.carts[sid] == nil {
			s.carts[sid] = map[int64]int64{}
		}
		s.carts[sid][in.ProductID] += in.Quantity + s.extra.Load()
		s.answered[key] = []byte{}
	}
	items, units, total := fakeLines(s.carts[sid])
	reply(w, http.StatusOK, map[string]any{"id": sid, "items": items, "item_count": units, "subtotal": total})
}

func fakeLines(cart map[int64]int64) (items []any, units, total int64) {
	for id, n := range cart {
		items = append(items, map[string]any{"product_id": id, "quantity": n, "unit_price": 100 + id, "line_total": n * (100 + id)})
		units += n
		total += n * (100 + id)
	}
	return items, units, total
}

func (s *fakeShop) checkout(w http.ResponseWriter, r *http.Request) {
	sid := s.session(w, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.Header.Get("Idempotency-Key")
	if before := s.answered[key]; before != nil {
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(before)
		return
	}
	if len(s.carts[sid]) == 0 {
		reply(w, http.StatusUnprocessableEntity, map[string]any{"type": "empty-cart"})
		return
	}
	items, _, total := fakeLines(s.carts[sid])
	delete(s.carts, sid)
	s.orders.Add(1)
	body, _ := json.Marshal(map[string]any{"id": "o-" + key, "status": "confirmed", "items": items, "subtotal": total, "total": total + s.skew.Load()})
	s.answered[key] = body
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(body)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// cut breaks the connection without an answer.
func cut(w http.ResponseWriter, _ *http.Request) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
	}
}

// simulate runs shoppers against the fake shop until a few orders are made, or whatever the test calls enough.
func simulate(t *testing.T, s *fakeShop, change func(*Options)) *Report {
	t.Helper()
	// GoodWithin: unless a test is about it, nothing is too late to be good, however busy the machine
	o := Options{
		Target: s.URL, Users: 4, Duration: time.Minute, Seed: 7, GoodWithin: time.Minute,
		enough: func() bool { return s.orders.Load() >= 8 },
	}
	return played(t, o, change)
}

// played is the report of a load with what the test changes of its options, which may be nil.
func played(t *testing.T, o Options, change func(*Options)) *Report {
	t.Helper()
	if change != nil {
		change(&o)
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	checkMath(t, r)
	return r
}

// ready is a scenario that ships.
func ready(t testing.TB, name string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Ready(name)
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

// after is enough when n has come so far.
func after(n *atomic.Int64, count int64) func() bool { return func() bool { return n.Load() >= count } }

// checkMath checks what must hold in every report.
func checkMath(t *testing.T, r *Report) {
	t.Helper()
	var steps, series, seriesBad, kinds int64
	for name, l := range r.ResponseTimes {
		if name != "all" {
			steps += l.Count
		}
		if l.P50 > l.P95 || l.P95 > l.P99 || l.P99 > l.Max || l.Avg > l.Max || l.Count > 0 && l.P50 <= 0 {
			t.Errorf("%s: %+v", name, l)
		}
	}
	for _, p := range r.Series {
		series += p.Requests
		seriesBad += p.Errors
	}
	for _, f := range r.Errors {
		kinds += f.Count
	}
	s := r.Summary
	if s.TotalRequests != steps || s.TotalRequests != r.ResponseTimes["all"].Count || s.TotalRequests != series {
		t.Errorf("%d requests, %d in steps, %d in all, %d in the series", s.TotalRequests, steps, r.ResponseTimes["all"].Count, series)
	}
	if s.Failed != kinds || s.Failed != seriesBad {
		t.Errorf("%d failed, %d by kind, %d in the series", s.Failed, kinds, seriesBad)
	}
	if want := float64(s.TotalRequests-s.Failed) / float64(s.TotalRequests); s.TotalRequests > 0 && s.SuccessRate != want {
		t.Errorf("success rate %v, want %v", s.SuccessRate, want)
	}
	if want := float64(s.TotalRequests) / s.Duration; s.Throughput < 0.99*want || s.Throughput > 1.01*want {
		t.Errorf("throughput %v, want %v", s.Throughput, want)
	}
}
