package prove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// broken are the promises that a fake platform does not keep.
type broken struct {
	slow      time.Duration // lists take so long
	weak      bool          // more is asked for than it can do
	errs      int64         // one answer in so many is a 503
	cold      bool          // nothing is ever cached
	coldL2    bool          // the edge caches nothing, Redis does
	oversell  bool          // stock is not looked at
	loses     int64         // one order in so many is not there afterwards
	doubles   int64         // one checkout in so many makes two orders
	alters    bool          // orders are not what was acknowledged
	clicks    bool          // a checkout sent twice is two orders
	leaks     bool          // cancelling does not restock
	costly    float64       // cores that are busy
	database  float64       // seconds that each statement takes
	contended bool          // API servers wait for one another, and spin meanwhile
	serial    bool          // a fifth of each request only one API server can do at a time; the others wait
	starved   bool          // API servers do not get their share
	hurts     bool          // faults are felt
	stays     bool          // faults are not over
	books     string        // what the audit finds
	noQuota   bool          // shares cannot be set
	usageless bool          // nobody knows what is used
}

const fakeProducts = 300

// fake is a shop with one process that says it is a platform.
type fake struct {
	broken
	*httptest.Server
	t        *testing.T
	requests atomic.Int64
	sessions atomic.Int64
	hurt     atomic.Bool
	started  time.Time

	mu     sync.Mutex
	next   int64
	made   map[int64]map[string]any
	gone   int
	stock  map[int64]int64
	carts  map[string]int64 // units of the one product that is ever added
	wants  map[string]int64 // which
	orders map[string][]map[string]any
	keys   map[string]map[string]any
	cached map[string]bool
	count  int64
}

func newFake(t *testing.T, b broken) *fake {
	f := &fake{
		broken: b, t: t, started: time.Now(), next: 10_000, made: map[int64]map[string]any{}, stock: map[int64]int64{}, carts: map[string]int64{},
		wants: map[string]int64{}, orders: map[string][]map[string]any{}, keys: map[string]map[string]any{}, cached: map[string]bool{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products", f.list)
	mux.HandleFunc("POST /products", f.create)
	mux.HandleFunc("GET /products/{id}", f.product)
	mux.HandleFunc("DELETE /products/{id}", f.remove)
	mux.HandleFunc("GET /products/{id}/stock", f.units)
	mux.HandleFunc("PUT /products/{id}/stock", f.setUnits)
	mux.HandleFunc("POST /cart/add", f.add)
	mux.HandleFunc("DELETE /cart", f.empty)
	mux.HandleFunc("POST /orders/checkout", f.checkout)
	mux.HandleFunc("GET /orders", f.listOrders)
	mux.HandleFunc("POST /orders/{id}/cancel", f.cancel)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := f.requests.Add(1)
		admin := r.Header.Get("Authorization") != "" || r.URL.Query().Get("limit") == "100"
		if !admin && (f.errs > 0 && n%f.errs == 0 || f.hurt.Load()) {
			answer(w, http.StatusServiceUnavailable, map[string]any{"detail": "planted"})
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func fakeProduct(id int64) map[string]any {
	return map[string]any{"id": id, "sku": fmt.Sprint("S", id), "name": fmt.Sprint("Things ", id), "price": 100, "category": fmt.Sprint("a/b", id%5), "brand": fmt.Sprint("Brand ", id%7), "availability": "in_stock"}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	time.Sleep(f.slow) // the fault
	q := r.URL.Query()
	limit, _ := strconv.ParseInt(q.Get("limit"), 10, 64)
	from, _ := strconv.ParseInt(q.Get("cursor"), 10, 64)
	list := []any{}
	if q.Get("category") == category {
		f.mu.Lock()
		for _, p := range f.made {
			list = append(list, p)
		}
		f.mu.Unlock()
		answer(w, http.StatusOK, list)
		return
	}
	for id := from + 1; id <= min(from+limit, fakeProducts); id++ {
		list = append(list, fakeProduct(id))
	}
	if from+limit < fakeProducts {
		w.Header().Set("X-Next-Cursor", fmt.Sprint(from+limit))
		q.Set("cursor", fmt.Sprint(from+limit))
		w.Header().Set("Link", fmt.Sprintf("</products?%s>; rel=\"next\"", q.Encode()))
	}
	answer(w, http.StatusOK, list)
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	var p map[string]any
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil || r.Header.Get("Authorization") != "Bearer secret" {
		answer(w, http.StatusBadRequest, nil)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next++
	p["id"] = f.next
	f.made[f.next] = p
	answer(w, http.StatusCreated, p)
}

func idOf(r *http.Request) int64 {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	return id
}

func (f *fake) product(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	hit := f.cached[r.URL.Path]
	f.cached[r.URL.Path] = true
	p := f.made[idOf(r)]
	f.mu.Unlock()
	switch {
	case f.cold || !hit:
		w.Header().Set("Cache-Status", "fake; fwd=miss")
		w.Header().Set("Server-Timing", "l1;desc=miss, l2;desc=miss, db;dur=1.2;desc=replica-1")
	case f.coldL2:
		w.Header().Set("Server-Timing", "l1;desc=miss, l2;desc=hit")
	default:
		w.Header().Set("Cache-Status", "fake; hit; ttl=10")
	}
	if p == nil {
		p = fakeProduct(idOf(r))
	}
	answer(w, http.StatusOK, p)
}

func (f *fake) remove(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.made, idOf(r))
	f.gone++
	w.WriteHeader(http.StatusNoContent)
}

func (f *fake) units(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"product_id": idOf(r), "available": max(0, f.stock[idOf(r)])})
}

func (f *fake) setUnits(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Available int64 `json:"available"`
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stock[idOf(r)] = in.Available
	answer(w, http.StatusOK, in)
}

func (f *fake) session(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(sessionCookie); err == nil {
		return c.Value
	}
	sid := fmt.Sprint("s", f.sessions.Add(1))
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: sid})
	return sid
}

func (f *fake) add(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ProductID int64 `json:"product_id"`
		Quantity  int64 `json:"quantity"`
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	sid := f.session(w, r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.made[in.ProductID] == nil {
		f.t.Errorf("product %d was bought, it was not made for that", in.ProductID)
	}
	f.wants[sid] = in.ProductID
	f.carts[sid] += in.Quantity
	n := f.carts[sid]
	answer(w, http.StatusOK, map[string]any{"items": items(in.ProductID, n), "item_count": n, "subtotal": 100 * n})
}

func items(id, n int64) []map[string]any {
	return []map[string]any{{"product_id": id, "quantity": n, "unit_price": 100, "line_total": 100 * n}}
}

func (f *fake) empty(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.carts, f.session(w, r))
	answer(w, http.StatusOK, map[string]any{})
}

func (f *fake) checkout(w http.ResponseWriter, r *http.Request) {
	sid, key := f.session(w, r), r.Header.Get("Idempotency-Key")
	f.mu.Lock()
	defer f.mu.Unlock()
	if o := f.keys[key]; o != nil && !f.clicks {
		answer(w, http.StatusCreated, o)
		return
	}
	id, n := f.wants[sid], f.carts[sid]
	if f.clicks && n == 0 && f.keys[key] != nil {
		n = 1
	}
	if n == 0 {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"detail": "empty"})
		return
	}
	if f.stock[id] < n && !f.oversell {
		answer(w, http.StatusConflict, map[string]any{"type": "out-of-stock"})
		return
	}
	f.stock[id] -= n
	delete(f.carts, sid)
	f.count++
	o := map[string]any{"id": fmt.Sprint("order-", f.count), "status": statusConfirmed, "items": items(id, n), "total": 100 * n}
	f.keys[key] = o
	kept := o
	if f.alters {
		kept = map[string]any{"id": o["id"], "status": statusConfirmed, "items": items(id, n+1), "total": 100 * (n + 1)}
	}
	if f.loses == 0 || f.count%f.loses != 0 {
		f.orders[sid] = append(f.orders[sid], kept)
	}
	if f.doubles > 0 && f.count%f.doubles == 0 {
		f.orders[sid] = append(f.orders[sid], map[string]any{"id": fmt.Sprint("again-", f.count), "status": statusConfirmed, "items": items(id, n)})
	}
	answer(w, http.StatusCreated, o)
}

func (f *fake) listOrders(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.orders[f.session(w, r)]
	if list == nil {
		list = []map[string]any{}
	}
	answer(w, http.StatusOK, list)
}

func (f *fake) cancel(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.orders[f.session(w, r)] {
		if o["id"] == r.PathValue("id") && o["status"] == statusConfirmed {
			o["status"] = "cancelled"
			for _, i := range o["items"].([]map[string]any) {
				if !f.leaks {
					f.stock[i["product_id"].(int64)] += i["quantity"].(int64)
				}
			}
		}
	}
	answer(w, http.StatusOK, map[string]any{})
}

// standing are confirmed orders.
func (f *fake) standing() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, list := range f.orders {
		for _, o := range list {
			if o["status"] == statusConfirmed {
				n++
			}
		}
	}
	return n
}

// What follows is the fake as a platform.

type fakePlatform struct{ *fake }

func (f fakePlatform) About(context.Context) (About, error) {
	return About{URL: f.URL, Ops: "http://localhost:1", Token: "secret", Here: true, Version: "fake"}, nil
}

func (f fakePlatform) Metrics(context.Context) ([]byte, error) {
	took := max(f.database, 0.0004)
	n := f.requests.Load()
	var b strings.Builder
	b.WriteString("# TYPE stampede_query_seconds histogram\n")
	for _, le := range []float64{0.0001, 0.001, 0.01, 0.1, 1} {
		m := n
		if took > le {
			m = 0
		}
		fmt.Fprintf(&b, "stampede_query_seconds_bucket{statement=\"GetProduct\",node=\"primary\",process=\"api-1\",le=\"%v\"} %d\n", le, m)
	}
	fmt.Fprintf(&b, "stampede_query_seconds_bucket{statement=\"GetProduct\",node=\"primary\",process=\"api-1\",le=\"+Inf\"} %d\nstampede_query_seconds_count{statement=\"GetProduct\",node=\"primary\",process=\"api-1\"} %d\n", n, n)
	return []byte(b.String()), nil
}

func (f fakePlatform) Usage(context.Context) (Usage, error) {
	if f.usageless {
		return Usage{}, fmt.Errorf("%w: planted", ErrCannot)
	}
	cores := max(f.costly, 0.05)
	n := float64(f.requests.Load())
	return Usage{At: time.Now(), Roles: map[string]Resources{
		RoleEdge: {Processes: 1, CPU: cores*time.Since(f.started).Seconds() + n*1e-5, Memory: 100 << 20},
		RoleAPI:  {Processes: 2, CPU: n * 2e-5, Memory: 200 << 20, Written: int64(n) * 1000},
	}}, nil
}

func (f fakePlatform) Faults(context.Context) ([]Fault, error) {
	var until atomic.Int64
	one := func(name string) Fault {
		return Fault{
			Name: name,
			Inject: func(context.Context) error {
				f.hurt.Store(f.hurts)
				until.Store(f.requests.Load() + 50)
				return nil
			},
			Recovered: func(context.Context) error {
				if f.stays {
					return errors.New("still there")
				}
				if f.hurts && f.requests.Load() < until.Load() {
					return errors.New("not felt yet")
				}
				f.hurt.Store(false)
				return nil
			},
		}
	}
	return []Fault{one("kill this"), one("kill that")}, nil
}

func (f fakePlatform) Healthy(context.Context) error { return nil }

func (f fakePlatform) Audit(context.Context) (Audit, error) {
	if f.books != "" {
		return Audit{Checked: 1, Broken: []string{f.books}}, nil
	}
	return Audit{OK: true, Checked: 1}, nil
}

// fakeInstances answer one request at a time, each in the same time: its own, or one of everybody's.
type fakeInstances struct {
	f       fakePlatform
	share   float64
	servers []*fakeInstance
	shared  sync.Mutex
}

type fakeInstance struct {
	*httptest.Server
	busy atomic.Int64 // nanoseconds
}

func (f fakePlatform) Instances(_ context.Context, share float64) (Instances, error) {
	if f.noQuota {
		return nil, fmt.Errorf("%w: no control groups", ErrCannot)
	}
	return &fakeInstances{f: f, share: share}, nil
}

func (i *fakeInstances) Start(_ context.Context, n int) (urls []string, err error) {
	for range n {
		s, own := &fakeInstance{}, new(sync.Mutex)
		s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case i.f.contended:
				waited := time.Now()
				i.shared.Lock()
				time.Sleep(requestTime)
				s.busy.Add(int64(time.Since(waited))) // who waits for another uses its time up, too
				i.shared.Unlock()
			case i.f.serial:
				own.Lock()
				s.work(4 * requestTime / 5)
				i.shared.Lock()
				s.work(requestTime / 5)
				i.shared.Unlock()
				own.Unlock()
			case i.f.starved:
				own.Lock()
				time.Sleep(requestTime)
				own.Unlock()
			default:
				own.Lock()
				s.work(requestTime)
				own.Unlock()
			}
			i.f.Config.Handler.ServeHTTP(w, r)
		}))
		i.servers = append(i.servers, s)
		urls = append(urls, s.URL)
	}
	return urls, nil
}

// requestTime is what a request takes of an instance.
const requestTime = 5 * time.Millisecond

func (s *fakeInstance) work(d time.Duration) {
	begun := time.Now()
	time.Sleep(d)
	s.busy.Add(int64(time.Since(begun)))
}

func (i *fakeInstances) Hold(bool) error { return nil }

func (i *fakeInstances) Had(urls []string) (sum Had) {
	for _, s := range i.servers {
		if slices.Contains(urls, s.URL) {
			sum.CPU += i.share * time.Duration(s.busy.Load()).Seconds()
		}
	}
	return sum
}

func (i *fakeInstances) Close() error {
	for _, s := range i.servers {
		s.Close()
	}
	i.servers = nil
	return nil
}
