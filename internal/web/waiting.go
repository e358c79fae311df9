package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Place is a shopper's place in the waiting room, as the page of it shows it.
type Place struct {
	Room     string // "" for the shop as a whole
	Position int64  // how many are before this one
	Estimate time.Duration
	Admitted bool
	Hopeless bool
	Opens    time.Time // zero, or in the future
	Next     string    // where the shopper wanted to go
	Again    int       // seconds after which to look again
}

// waitingPages are the pages that an edge shows, which has no storefront of its own.
var waitingPages = sync.OnceValues(parsePages)

// WantsPage tells a browser that goes to a page from a program, or a script that asks for data.
func WantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.Contains(r.Header.Get("Content-Type"), "json")
}

// Later answers a browser whose request was refused for now, for the reason in title: after retryAfter seconds the page is asked for
// again by itself. What was to be changed was not, and is asked for again by the shopper alone.
func Later(w http.ResponseWriter, r *http.Request, status, retryAfter int, title string) {
	h := w.Header()
	h.Set("Retry-After", strconv.Itoa(retryAfter))
	back := r.URL.RequestURI()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		back = cameFrom(r)
	} else {
		h.Set("Refresh", strconv.Itoa(retryAfter+1))
	}
	showAlone(w, status, "later", page{Title: title, Body: struct {
		Title  string
		Back   string
		Reads  bool
		Repeat int
	}{title, back, r.Method == http.MethodGet, retryAfter + 1}})
}

// Blocked answers a browser whose request was refused for what is in it. Who meant no harm can name it by its id.
func Blocked(w http.ResponseWriter, id string, status int, detail string) {
	b := explain(status, &shop.Error{Detail: detail})
	if id != "" {
		w.Header().Set("X-Request-Id", id)
		b.Detail += " Its id: " + id
	}
	showAlone(w, status, "error", page{Title: b.Heading, Body: b})
}

// Waiting answers a browser with the place it has. The page looks again by itself, with and without scripts; who is
// admitted is sent on.
func Waiting(w http.ResponseWriter, r *http.Request, status int, p Place) {
	h := w.Header()
	self := queueURL(p)
	switch {
	case p.Admitted && r.Method == http.MethodGet:
		noStore(h)
		h.Set("Location", p.Next)
		w.WriteHeader(http.StatusSeeOther)
		return
	case !p.Hopeless:
		h.Set("Refresh", fmt.Sprintf("%d; url=%s", p.Again, self))
	}
	title := "You are in line"
	if p.Hopeless {
		title = "Sold out"
	}
	showAlone(w, status, "waiting", page{Title: title, Body: struct {
		Place
		Self, Before, About string
	}{p, self, grouped(strconv.FormatInt(p.Position, 10)), about(p.Estimate)}})
}

func queueURL(p Place) string {
	q := url.Values{}
	if p.Room != "" {
		q.Set("room", p.Room)
	}
	if p.Next != "" && p.Next != "/" {
		q.Set("next", p.Next)
	}
	if len(q) == 0 {
		return "/queue"
	}
	return "/queue?" + q.Encode()
}

// about says a time as people do.
func about(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return "a few seconds"
	case d < 90*time.Second:
		return fmt.Sprintf("about %d seconds", int(d.Round(10*time.Second).Seconds()))
	case d < 90*time.Minute:
		return fmt.Sprintf("about %d minutes", int(d.Round(time.Minute).Minutes()))
	}
	return fmt.Sprintf("about %d hours", int(d.Round(time.Hour).Hours()))
}

// LocalPath is path when it leads nowhere but to a page here, else "/".
func LocalPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") ||
		strings.ContainsAny(path, "\\\r\n\t") || strings.HasPrefix(u.Path, "/queue") {
		return "/"
	}
	return u.RequestURI()
}

// cameFrom is the page that a form was on, as far as it is one of ours.
func cameFrom(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host {
		return "/"
	}
	return LocalPath(u.RequestURI())
}

// CameFrom is where a shopper wants to be once they are let in: the page itself, or the one whose form they sent.
func CameFrom(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return LocalPath(r.URL.RequestURI())
	}
	return cameFrom(r)
}

// showAlone sends a page that belongs to nobody's session.
func showAlone(w http.ResponseWriter, status int, name string, p page) {
	pages, err := waitingPages()
	if err != nil {
		http.Error(w, p.Title, status)
		return
	}
	secure(w.Header())
	noStore(w.Header())
	if err := (&site{pages: pages}).render(w, &http.Request{Header: http.Header{}}, status, name, p); err != nil {
		http.Error(w, p.Title, status)
	}
}
