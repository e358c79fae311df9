package waitroom

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/edge/internal/respond"
)

const (
	cookiePrefix = "place-"
	placeAge     = 12 * time.Hour // of a place that is not used
)

// Let tells whether a request of a room may pass; otherwise it has answered it, with a place. A request for "" belongs to
// the shop as a whole. A session that the request has not brought is in its cookies afterwards.
func (q *Rooms) Let(w http.ResponseWriter, r *http.Request, name string) bool {
	room := q.shop
	if name != "" {
		room = q.named(name)
	}
	if room == nil || !room.queue.Load() {
		return true
	}
	p, ok := q.enter(w, r, room)
	if !ok {
		return false
	}
	if p.Admitted {
		return true
	}
	q.m.told.Inc()
	q.tell(w, r, http.StatusServiceUnavailable, p)
	return false
}

// enter finds or gives the place of a request's session; ok is false when that failed, and was answered.
func (q *Rooms) enter(w http.ResponseWriter, r *http.Request, room *room) (Place, bool) {
	before := len(w.Header()["Set-Cookie"])
	session, err := q.opts.Session(w, r)
	if err != nil {
		unavailable(w, r)
		return Place{}, false
	}
	for _, line := range w.Header()["Set-Cookie"][before:] { // who comes after us must not begin another session
		pair, _, _ := strings.Cut(line, ";")
		addCookie(r, pair)
	}
	now := time.Now()
	if room.shop && q.known.has(session) {
		return Place{Room: room.Name, Admitted: true}, true
	}
	if p, ok := q.find(r, room, session, now); ok {
		return p, true
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeLimit)
	defer cancel()
	t, err := room.join(ctx, now)
	if t.number == 0 {
		q.opts.Log.Warn("no place could be given", "room", room.Name, "error", err)
		unavailable(w, r)
		return Place{}, false
	}
	http.SetCookie(w, &http.Cookie{Name: cookiePrefix + room.Name, Value: t.seal(q.opts.Keys[0], room.Name, session), Path: "/",
		MaxAge: int(placeAge.Seconds()), HttpOnly: true, Secure: q.opts.Secure(r), SameSite: http.SameSiteLaxMode})
	p, _ := room.place(now, t)
	return p, true
}

// find reads the place that a request has in a room.
func (q *Rooms) find(r *http.Request, room *room, session string, now time.Time) (Place, bool) {
	if session == "" {
		return Place{}, false
	}
	for i, c := range r.CookiesNamed(cookiePrefix + room.Name) {
		if i == 2 {
			break
		}
		if t, ok := open(q.opts.Keys, c.Value, room.Name, session); ok && now.Sub(t.issued) < placeAge {
			if p, ok := room.place(now, t); ok {
				room.seen(r.Context(), t.number)
				return p, true
			}
		}
	}
	return Place{}, false
}

func addCookie(r *http.Request, pair string) {
	if old := r.Header.Get("Cookie"); old != "" {
		pair = old + "; " + pair
	}
	r.Header.Set("Cookie", pair)
}

// ServeHTTP answers GET /queue: the place of whoever asks, in the room that the query names, or else in one that they have a
// place in or that queues. Where nobody queues everybody is admitted.
func (q *Rooms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query, _ := url.ParseQuery(r.URL.RawQuery) // what cannot be read names no room
	room := q.asked(r, query.Get("room"))
	if room == nil || !room.queue.Load() {
		q.tell(w, r, http.StatusOK, Place{Admitted: true})
		return
	}
	if p, ok := q.enter(w, r, room); ok {
		q.tell(w, r, http.StatusOK, p)
	}
}

func (q *Rooms) asked(r *http.Request, name string) *room {
	if name != "" {
		return q.named(name)
	}
	var found *room
	for _, room := range q.list {
		if !room.queue.Load() {
			continue
		}
		if _, err := r.Cookie(cookiePrefix + room.Name); err == nil {
			return room
		}
		found = room
	}
	return found
}

// answer is a place in JSON. As an answer to anything but GET /queue it is a problem (RFC 9457) besides.
type answer struct {
	Type      string `json:"type,omitempty"`
	Title     string `json:"title,omitempty"`
	Status    int    `json:"status,omitempty"`
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	Position  int64  `json:"position"`
	Estimate  int64  `json:"estimate_s"`
	Admitted  bool   `json:"admitted"`
	Hopeless  bool   `json:"hopeless"`
}

// tell answers with a place.
func (q *Rooms) tell(w http.ResponseWriter, r *http.Request, status int, p Place) {
	h := w.Header()
	h.Set("Cache-Control", "private, no-store")
	if !p.Admitted && !p.Hopeless {
		h.Set("Retry-After", strconv.Itoa(p.Again))
	}
	if p.Hopeless && status != http.StatusOK {
		status = http.StatusConflict
	}
	if q.opts.Page != nil && strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.Contains(r.Header.Get("Content-Type"), "json") {
		q.opts.Page(w, r, status, p)
		return
	}
	a := answer{Position: p.Position, Estimate: int64((p.Estimate + time.Second - 1) / time.Second), Admitted: p.Admitted, Hopeless: p.Hopeless}
	h.Set("Content-Type", "application/json")
	if status != http.StatusOK {
		h.Set("Content-Type", "application/problem+json")
		a.explain(status, p)
		a.RequestID = r.Header.Get("X-Request-Id")
	}
	body, _ := json.Marshal(a) // texts and numbers only: cannot fail
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// explain makes a problem of a.
func (a *answer) explain(status int, p Place) {
	a.Type, a.Title, a.Status = "/problems/waiting-room", "A place in the waiting room", status
	a.Detail = "more shoppers came than can be served at once; you have a place in line: ask GET /queue as Retry-After says, and for this again once you are admitted"
	if p.Hopeless {
		a.Type, a.Title = "/problems/out-of-stock", "Out of stock"
		a.Detail = "what you wait for is sold out; nobody who waits can get it any more"
	}
}

func unavailable(w http.ResponseWriter, r *http.Request) {
	respond.Problem{Type: "temporarily-unavailable", Status: http.StatusServiceUnavailable, RetryAfter: 2,
		Detail: "no place in line could be given right now; try again in a moment"}.Write(w, r.Method, r.Header.Get("X-Request-Id"))
}
