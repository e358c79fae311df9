package edgerole

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/edge/waitroom"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/shop"
)

// doorsShop answers like the API, as far as the waiting room looks at it.
type doorsShop struct {
	mu   sync.Mutex
	left int64
	hold string // what the last write was told to hold back
	body string
}

func (d *doorsShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/stock") {
		fmt.Fprintf(w, `{"product_id":7,"available":%d}`, d.left)
		return
	}
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		d.body, d.hold = string(body), r.Header.Get(shop.HeaderHold)
		if _, err := r.Cookie("sid"); err != nil { // as the API begins a session
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "of-the-origin"})
		}
	}
	w.WriteHeader(http.StatusOK)
}

// doors opens an edge whose product 7 is sold from then on.
func doors(t *testing.T, opens time.Duration, d *doorsShop) *Node {
	t.Helper()
	n := shopEdge(t, d.ServeHTTP, func(c *config.Config) {
		c.Edge.Waitroom.Doors = []config.DoorsConfig{{Name: "lamps", Products: []int64{7}, Opens: time.Now().Add(opens)}}
		c.Edge.Waitroom.Rate, c.Edge.Waitroom.MinRate, c.Edge.Waitroom.MaxRate = 2, 1, 2
	})
	t.Cleanup(n.runRooms(context.Background()))
	localtest.Eventually(t, "the room is open", func() bool { return n.rooms.Open() })
	return n
}

// visitor is a client with cookies.
type visitor map[string]string

func (v visitor) call(n *Node, method, path, body string, header ...string) *httptest.ResponseRecorder {
	var pairs []string
	for name, value := range v {
		pairs = append(pairs, name+"="+value)
	}
	header = append([]string{"Content-Type", "application/json", "Accept", "application/json", "Cookie", strings.Join(pairs, "; ")}, header...)
	w := call(n, "192.0.2.1:1", method, path, body, header...)
	for _, c := range w.Result().Cookies() {
		v[c.Name] = c.Value
	}
	return w
}

func placeIn(t *testing.T, w *httptest.ResponseRecorder) (p struct {
	Position *int64
	Admitted *bool
	Hopeless bool
}) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Admitted == nil {
		t.Fatalf("no place: %d %s", w.Code, w.Body)
	}
	return p
}

// Before the doors open the hot product cannot be had in any way; everything else can.
func TestDoorsAtTheEdge(t *testing.T) {
	t.Parallel()
	d := &doorsShop{left: 5}
	n := doors(t, 20*time.Minute, d)
	v := visitor{}
	for _, c := range []struct{ method, path, body, kind string }{
		{"POST", "/cart/add", `{"quantity":1,"product_id":7}`, "application/json"}, {"POST", "/bag/add", "product_id=7", "application/x-www-form-urlencoded"},
		{"PATCH", "/cart/items/7", `{"quantity":2}`, "application/json"},
	} {
		w := v.call(n, c.method, c.path, c.body, "Content-Type", c.kind)
		if p := placeIn(t, w); w.Code != http.StatusServiceUnavailable || *p.Admitted || *p.Position != 0 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %v %s", c.path, w.Code, w.Header(), w.Body)
		}
	}
	for _, c := range []struct{ path, body string }{{"/cart/add", `{"product_id":8}`}, {"/orders/checkout", ""}, {"/batch", `{"requests":[{"method":"POST","path":"/cart/add","body":{"product_id":7}}]}`}} {
		if w := v.call(n, "POST", c.path, c.body); w.Code != http.StatusOK || d.hold != "7" || d.body != c.body {
			t.Errorf("%s: %d, hold %q, body %q", c.path, w.Code, d.hold, d.body)
		}
	}
	if w := v.call(n, "POST", "/cart/add", `{"product_id":8}`, shop.HeaderHold, ""); d.hold != "7" {
		t.Errorf("the shopper chose what to hold: %q, %d", d.hold, w.Code)
	}
	if w := v.call(n, "GET", "/queue", ""); w.Code != http.StatusOK || *placeIn(t, w).Admitted {
		t.Errorf("the queue: %d %s", w.Code, w.Body)
	}
	if w := (visitor{"sid": v["sid"]}).call(n, "GET", "/queue?room=lamps&next=/p/7", "", "Accept", "text/html", "Content-Type", ""); w.Code != 200 ||
		!strings.Contains(w.Body.String(), "You are in line") || !strings.Contains(w.Header().Get("Refresh"), "next=%2Fp%2F7") {
		t.Errorf("the page: %d %v", w.Code, w.Header())
	}
}

// Once admitted the shopper buys, in the session that the place was given to; when it is sold out those who come are told.
func TestAdmittedAtTheEdge(t *testing.T) {
	t.Parallel()
	d := &doorsShop{left: 5}
	n := doors(t, -time.Minute, d)
	v := visitor{}
	localtest.Eventually(t, "the shopper is let in", func() bool { return v.call(n, "POST", "/cart/add", `{"product_id":7}`).Code == http.StatusOK })
	if d.hold != "" || v["sid"] == "of-the-origin" || v["sid"] == "" {
		t.Errorf("hold %q, session %q", d.hold, v["sid"])
	}
	d.mu.Lock()
	d.left = 0
	d.mu.Unlock()
	localtest.Eventually(t, "nothing is left", func() bool { return n.rooms.Status()[0].Left == 0 })
	localtest.Eventually(t, "a crowd waits", func() bool { // a crowd: those beyond what the rate admits at once
		w := (visitor{}).call(n, "POST", "/cart/add", `{"product_id":7}`)
		return w.Code == http.StatusConflict && placeIn(t, w).Hopeless
	})
}

// A place in the shop's room is asked for by what leads to an order alone.
func TestBuying(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"POST /cart/add": true, "PATCH /cart/items/7": true, "POST /orders/checkout": true, "POST /batch": true, "POST /bag/checkout": true, "POST /users/login": true,
		"GET /cart": false, "DELETE /cart": false, "POST /products": false, "POST /events": false, "POST /orders/1/cancel": false, "GET /bag": false, "POST /products/batch": false,
	} {
		method, path, _ := strings.Cut(line, " ")
		if got := buying(httptest.NewRequest(method, path, nil)); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

func TestLoadOfAnEdge(t *testing.T) {
	t.Parallel()
	n := shopEdge(t, func(http.ResponseWriter, *http.Request) {}, nil)
	if got := n.load(); got != (waitroom.Load{Room: true}) {
		t.Errorf("idle: %+v", got)
	}
	n = shopEdge(t, func(http.ResponseWriter, *http.Request) {}, func(c *config.Config) { c.Edge.Origins = []string{"http://127.0.0.1:1"} })
	localtest.Eventually(t, "it is not ready", func() bool { return n.Ready() != nil })
	if got := n.load(); got != (waitroom.Load{}) {
		t.Errorf("without servers: %+v", got)
	}
}

// While the edge lacks processor time pages are refused, and who comes to buy gets a place all the same; that the edge lacks it does not count
// as if the API did.
func TestPlacesAreGivenByAStarvedEdge(t *testing.T) {
	t.Parallel()
	n := shopEdge(t, func(http.ResponseWriter, *http.Request) {}, func(c *config.Config) {
		c.Edge.Admission.Slack, c.Edge.Waitroom.After = time.Nanosecond, time.Millisecond
	})
	t.Cleanup(n.runRooms(context.Background()))
	localtest.Eventually(t, "all pages are refused and the room of the shop is open", func() bool {
		w := (visitor{}).call(n, "GET", "/products/1", "")
		load := n.load()
		return w.Code == http.StatusServiceUnavailable && n.rooms.ShopQueues() && load.Short && !load.Room && !load.Full
	})
	for range 50 {
		v := visitor{}
		if w := v.call(n, "POST", "/cart/add", `{"product_id":7}`); w.Code != http.StatusOK && v["place-"+config.ShopRoom] == "" {
			t.Fatalf("a cart is refused: %d %s", w.Code, w.Body)
		}
	}
}

func TestWaitroomConfig(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		change func(*config.WaitroomConfig)
		key    string
	}{
		{func(c *config.WaitroomConfig) { c.Rate = 0 }, "edge.waitroom.rate"}, {func(c *config.WaitroomConfig) { c.After = 0 }, "edge.waitroom.after"},
		{func(c *config.WaitroomConfig) {
			c.Doors = []config.DoorsConfig{{Name: "shop", Products: []int64{1}, Opens: now}}
		}, "edge.waitroom.doors[0].name"},
		{func(c *config.WaitroomConfig) { c.Doors = []config.DoorsConfig{{Name: "a", Opens: now}} }, "edge.waitroom.doors[0].products"},
		{func(c *config.WaitroomConfig) { c.Doors = []config.DoorsConfig{{Name: "a", Products: []int64{1}}} }, "edge.waitroom.doors[0].opens"},
		{func(c *config.WaitroomConfig) {
			c.Doors = []config.DoorsConfig{{Name: "a", Products: []int64{1}, Opens: now, Until: now}}
		}, "edge.waitroom.doors[0].until"},
	} {
		cfg := config.Default()
		c.change(&cfg.Edge.Waitroom)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.key+":") {
			t.Errorf("%s: %v", c.key, err)
		}
	}
}
