package edgerole

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/edge/admission"
	"github.com/stampede-shop/stampede/edge/waitroom"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/internal/web"
)

// addWaitroom puts the waiting rooms behind limits and before the cache.
func (n *Node) addWaitroom(o *edge.Options, cfg config.Config) (err error) {
	c := n.cfg.Waitroom
	if !c.Enabled || n.sessions == nil {
		return nil
	}
	store, err := waitroom.NewLocal(c.File)
	if err != nil {
		return fmt.Errorf("edge.waitroom.file: %w", err)
	}
	w := waitroom.Options{Keys: cfg.SessionKeys(), Shop: config.ShopRoom, Load: n.load, Store: store, Session: n.ensureSession, Page: waitingPage,
		Rate: c.Rate, MinRate: c.MinRate, MaxRate: c.MaxRate, After: c.After, Registerer: o.Registerer, Log: o.Log}
	if cfg.Session.Secure {
		w.Secure = func(*http.Request) bool { return true }
	}
	for _, d := range c.Doors {
		d = d.WithDefaults()
		w.Rooms = append(w.Rooms, waitroom.Room{Name: d.Name, From: d.Opens.Add(-d.Before), Opens: d.Opens, Until: d.Until,
			Stock: func(ctx context.Context) (int64, error) { return n.stockOf(ctx, d.Products) }})
	}
	if n.rooms, err = waitroom.New(w); err != nil {
		return err
	}
	o.Admission = append(o.Admission, n.queueUp)
	return nil
}

// runRooms moves the queues on until stop is called.
func (n *Node) runRooms(ctx context.Context) (stop func()) {
	if n.rooms == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.rooms.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

const (
	exceeding = 0.05 // the share of requests that are refused when demand exceeds capacity
	noPages   = 3    // the need at which the edge refuses all pages and still lacks processor time
)

// load is how the API stands, by what admission sees. Without servers there is no telling. Who is let in buys, so it is carts and
// checkouts by which the rate goes: pages may be short at the same time, and are what gives way, to the API's want as to the edge's own.
func (n *Node) load() waitroom.Load {
	if n.admission == nil || n.Ready() != nil {
		return waitroom.Load{Room: n.admission == nil}
	}
	s := n.admission.Stats()
	waiting := s.Waiting[admission.Checkout.String()] + s.Waiting[admission.Cart.String()]
	short := s.Need >= noPages
	return waitroom.Load{Exceeds: s.Refused > exceeding, Full: s.RefusedBuyers > exceeding, Short: short,
		Room: !short && s.RefusedBuyers == 0 && waiting < max(1, s.Limit/4)}
}

func (n *Node) ensureSession(w http.ResponseWriter, r *http.Request) (string, error) {
	s, err := n.sessions.Ensure(w, r)
	return s.UserID, err
}

// session is whose a request is, "" when it has no session of ours.
func (n *Node) session(r *http.Request) string {
	s, ok, err := n.sessions.Load(r)
	if !ok || err != nil {
		return ""
	}
	return s.UserID
}

func waitingPage(w http.ResponseWriter, r *http.Request, status int, p waitroom.Place) {
	next := web.CameFrom(r)
	if r.URL.Path == "/queue" {
		next = web.LocalPath(r.URL.Query().Get("next"))
	}
	page := web.Place{Room: p.Room, Position: p.Position, Estimate: p.Estimate, Admitted: p.Admitted, Hopeless: p.Hopeless, Opens: p.Opens, Next: next, Again: p.Again}
	if p.Room == config.ShopRoom {
		page.Room = ""
	}
	web.Waiting(w, r, status, page)
}

// queueUp answers GET /queue, and lets shoppers put into the cart and buy what they are admitted to. What they are not is named
// to the API, which sees what is in the cart.
func (n *Node) queueUp(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/queue" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			n.rooms.ServeHTTP(w, r)
			return
		case !buying(r):
		case !n.rooms.Open():
			if s := n.session(r); s != "" {
				n.rooms.Saw(s)
			}
		case !n.letIn(w, r):
			return
		default:
			n.events.admitted(n.session(r))
			if ids := n.heldProducts(r); len(ids) > 0 {
				r.Header.Set(shop.HeaderHold, joinIDs(ids))
			}
		}
		next.ServeHTTP(w, r)
	})
}

// buying tells requests that lead to an order, or begin a shopper's visit by a write.
func buying(r *http.Request) bool {
	if r.Method != http.MethodPost && r.Method != http.MethodPatch {
		return false
	}
	return HasPrefix(r.URL.Path, "/cart", "/bag/", "/orders/checkout", "/batch", "/users", "/account")
}

// letIn asks the rooms of the product that a request is about, or the one of the shop as a whole.
func (n *Node) letIn(w http.ResponseWriter, r *http.Request) bool {
	id, campaign := boughtIn(r), false
	for _, d := range n.cfg.Waitroom.Doors {
		if id != 0 && slices.Contains(d.Products, id) {
			campaign = true
			if !n.rooms.Let(w, r, d.Name) {
				return false
			}
		}
	}
	return campaign || n.rooms.Let(w, r, "")
}

// heldProducts are those of the rooms that a request's session waits for.
func (n *Node) heldProducts(r *http.Request) (ids []int64) {
	for _, name := range n.rooms.Hold(r, n.session(r)) {
		for _, d := range n.cfg.Waitroom.Doors {
			if d.Name == name {
				ids = append(ids, d.Products...)
			}
		}
	}
	return ids
}

func joinIDs(ids []int64) string {
	text := make([]string, len(ids))
	for i, id := range ids {
		text[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(text, ",")
}

// maxCartBody is the largest body, in bytes, in which a product is looked for. What is longer the API judges.
const maxCartBody = 16 << 10

// boughtIn is the product that a request puts into a cart, 0 when it is none that can be told from here. It reads the body
// and puts it back.
func boughtIn(r *http.Request) int64 {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/cart/items/"); ok {
		return number(rest)
	}
	if r.URL.Path != "/cart/add" && r.URL.Path != "/bag/add" && r.URL.Path != "/bag/update" || r.ContentLength > maxCartBody || r.Body == nil {
		return 0
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxCartBody))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(raw), r.Body), r.Body}
	if err != nil {
		return 0
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		form, _ := url.ParseQuery(string(raw))
		return number(form.Get("product_id"))
	}
	var in struct {
		ID int64 `json:"product_id"`
	}
	if json.Unmarshal(raw, &in) != nil {
		return 0
	}
	return in.ID
}

func number(text string) int64 {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// stockOf is how much is left of some products together, asked for the way a shopper would.
func (n *Node) stockOf(ctx context.Context, ids []int64) (total int64, err error) {
	for _, id := range ids {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/products/"+strconv.FormatInt(id, 10)+"/stock", http.NoBody)
		if err != nil {
			return 0, err
		}
		r.RequestURI, r.Host, r.RemoteAddr = r.URL.Path, "localhost", "127.0.0.1:0"
		var w heard
		n.ServeHTTP(&w, r)
		var stock struct {
			Available *int64 `json:"available"`
		}
		if err := json.Unmarshal(w.body.Bytes(), &stock); err != nil || stock.Available == nil {
			return 0, fmt.Errorf("stock of product %d: status %d: %w", id, w.status, err)
		}
		total += *stock.Available
	}
	return total, nil
}

// heard is an answer to ourselves.
type heard struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heard) Header() http.Header {
	if h.header == nil {
		h.header = http.Header{}
	}
	return h.header
}

func (h *heard) WriteHeader(status int)      { h.status = status }
func (h *heard) Write(p []byte) (int, error) { return h.body.Write(p) }
