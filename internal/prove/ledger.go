package prove

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// ledger is our own record of what the shop has acknowledged, kept on the way between shoppers and the shop. It belongs to
// nobody's code but this package's, so that the shop's books cannot be wrong in the same way.
type ledger struct {
	next     http.RoundTripper
	mu       sync.Mutex
	visits   map[string]*visit // by session cookie
	checkout int64
	clicks   int64     // checkouts that were sent twice at once
	differ   []string  // of them, those that were answered two different orders
	first    time.Time // acknowledgement since times began anew
	last     time.Time
	orders   int64 // between them
}

// visit is what one session did.
type visit struct {
	cart   bool             // something may be in its cart
	acked  map[string]order // orders that the shop answered with 201
	doubts int              // checkouts of which nobody knows how they ended
}

const (
	sessionCookie = "sid"
	doubleClick   = 8 // one checkout in so many is sent twice at the same time, as by an impatient finger
	manyNotes     = 10
)

func newLedger(next http.RoundTripper) *ledger {
	return &ledger{next: next, visits: map[string]*visit{}}
}

// RoundTrip passes a request on and notes what came of it.
func (l *ledger) RoundTrip(req *http.Request) (*http.Response, error) {
	switch {
	case req.Method != http.MethodPost:
		return l.next.RoundTrip(req)
	case strings.HasSuffix(req.URL.Path, "/orders/checkout"):
		return l.buy(req)
	case strings.HasSuffix(req.URL.Path, "/cart/add"):
		res, _, err := l.whole(req)
		l.filled(req, res)
		return res, err
	}
	return l.next.RoundTrip(req)
}

// of is a session's visit. Call it with mu held.
func (l *ledger) of(cookie string) *visit {
	v := l.visits[cookie]
	if v == nil {
		v = &visit{acked: map[string]order{}}
		l.visits[cookie] = v
	}
	return v
}

func (l *ledger) filled(req *http.Request, res *http.Response) {
	cookie := ""
	if c, err := req.Cookie(sessionCookie); err == nil {
		cookie = c.Value
	}
	if res != nil {
		for _, c := range res.Cookies() {
			if c.Name == sessionCookie {
				cookie = c.Value
			}
		}
	}
	if cookie == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(cookie).cart = true
}

// buy passes a checkout on, every now and then twice at the same time.
func (l *ledger) buy(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.checkout++
	twice := l.checkout%doubleClick == 0 && req.GetBody != nil
	l.mu.Unlock()
	if !twice {
		res, _, err := l.once(req)
		return res, err
	}
	second := req.Clone(req.Context())
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	second.Body = body
	other := make(chan string, 1)
	go func() {
		res, id, err := l.once(second)
		if err == nil {
			_ = res.Body.Close()
		}
		other <- id
	}()
	res, id, err := l.once(req)
	with := <-other
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clicks++
	if id != "" && with != "" && id != with && len(l.differ) < manyNotes {
		l.differ = append(l.differ, fmt.Sprintf("one checkout, sent twice, was answered orders %s and %s", id, with))
	}
	return res, err
}

// whole passes a request on and reads its answer, also when the load is broken off meanwhile: what is bought and put into carts has
// to be known, to be undone.
func (l *ledger) whole(req *http.Request) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), callLimit)
	defer cancel()
	res, err := l.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerBytes))
	if err != nil {
		return nil, nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(raw))
	return res, raw, nil
}

// once passes a checkout on; id is the order's where it was acknowledged.
func (l *ledger) once(req *http.Request) (res *http.Response, id string, err error) {
	res, raw, err := l.whole(req)
	c, noCookie := req.Cookie(sessionCookie)
	if noCookie != nil {
		return res, "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.of(c.Value)
	var o order
	switch {
	case err != nil || res.StatusCode >= 500 || res.StatusCode == http.StatusAccepted:
		v.doubts++
	case res.StatusCode == http.StatusCreated && json.Unmarshal(raw, &o) == nil && o.ID != "":
		if _, again := v.acked[o.ID]; !again {
			l.count()
		}
		v.acked[o.ID], v.cart = o, false
		return res, o.ID, nil
	}
	return res, "", err
}

// count notes when an order was acknowledged. Call it with mu held.
func (l *ledger) count() {
	now := time.Now()
	if l.orders == 0 {
		l.first = now
	}
	l.last = now
	l.orders++
}

// restart begins counting anew.
func (l *ledger) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders = 0
}

// pace is orders a second from the first to the last since counting began.
func (l *ledger) pace() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.orders < 2 || !l.last.After(l.first) {
		return 0
	}
	return float64(l.orders-1) / l.last.Sub(l.first).Seconds()
}

// cookies are those of all sessions.
func (l *ledger) cookies() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.visits))
}

// visit is a copy of what is known of a session.
func (l *ledger) visit(cookie string) visit {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := *l.visits[cookie]
	v.acked = maps.Clone(v.acked)
	return v
}

// Books are our record held against the shop's own.
type Books struct {
	Sessions     int64    `json:"sessions"`
	Acknowledged int64    `json:"acknowledged"` // orders that the shop confirmed to a shopper
	Found        int64    `json:"found"`        // of them, those that it shows to the shopper, as they were
	Lost         int64    `json:"lost"`         // and those that it does not
	Doubled      int64    `json:"doubled"`      // orders of which nobody knew, or two of one checkout
	DoubleClicks int64    `json:"double_clicks"`
	Units        int64    `json:"units"` // of the product asked for, in confirmed orders
	Doubts       int64    `json:"doubts"`
	Notes        []string `json:"notes,omitempty"`
}

func (b *Books) note(format string, args ...any) {
	if len(b.Notes) < manyNotes {
		b.Notes = append(b.Notes, fmt.Sprintf(format, args...))
	}
}

// reconcile asks the shop for the orders of every session. units are counted of product.
func (l *ledger) reconcile(ctx context.Context, s *shop, product int64) (Books, error) {
	cookies := l.cookies()
	l.mu.Lock()
	b := Books{Sessions: int64(len(cookies)), DoubleClicks: l.clicks, Doubled: int64(len(l.differ)), Notes: slices.Clone(l.differ)}
	l.mu.Unlock()
	var mu sync.Mutex
	err := each(ctx, cookies, func(ctx context.Context, cookie string) error {
		list, err := s.orders(ctx, sessionCookie+"="+cookie)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		b.compare(l.visit(cookie), list, product)
		return nil
	})
	return b, err
}

// compare holds one session's record against the orders the shop has of it.
func (b *Books) compare(v visit, list []order, product int64) {
	shown := map[string]order{}
	for _, o := range list {
		shown[o.ID] = o
		if o.Status == statusConfirmed {
			b.Units += o.units(product)
		}
	}
	b.Acknowledged += int64(len(v.acked))
	b.Doubts += int64(v.doubts)
	for id, said := range v.acked {
		has, ok := shown[id]
		switch {
		case !ok:
			b.Lost++
			b.note("order %s was acknowledged, its shopper's list does not have it", id)
		case has.Status != statusConfirmed || fmt.Sprint(has.Items) != fmt.Sprint(said.Items):
			b.Lost++
			b.note("order %s was acknowledged as %v, it is %s with %v", id, said.Items, has.Status, has.Items)
		default:
			b.Found++
		}
	}
	// What nobody was told of is a double, unless somebody was told nothing.
	for id := range shown {
		if _, ok := v.acked[id]; !ok {
			if v.doubts--; v.doubts < 0 {
				b.Doubled++
				b.note("order %s exists, nobody was told of it", id)
			}
		}
	}
}

// undo cancels every order of every session and empties the carts.
func (l *ledger) undo(ctx context.Context, s *shop) (cancelled int64, err error) {
	var mu sync.Mutex
	err = each(ctx, l.cookies(), func(ctx context.Context, cookie string) error {
		v := l.visit(cookie)
		c := sessionCookie + "=" + cookie
		if v.cart {
			if _, err := s.call(ctx, http.MethodDelete, "/cart", c, nil, nil); err != nil {
				return err
			}
		}
		if len(v.acked) == 0 && v.doubts == 0 {
			return nil
		}
		list, err := s.orders(ctx, c)
		if err != nil {
			return err
		}
		for _, o := range list {
			if o.Status != statusConfirmed {
				continue
			}
			if _, err := s.call(ctx, http.MethodPost, "/orders/"+o.ID+"/cancel", c, nil, nil); err != nil {
				return err
			}
			mu.Lock()
			cancelled++
			mu.Unlock()
		}
		return nil
	})
	return cancelled, err
}
