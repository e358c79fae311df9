package admission

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// While work waits too long for a processor, newcomers' pages are refused first, then their carts, then pages of those who
// shop already; checkouts never. When it no longer does, nobody is refused any more.
func TestGuard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		delay := 100 * time.Millisecond
		l := newLimiter(t, Options{Slack: 10 * time.Millisecond, Delay: func() time.Duration { return delay },
			Known: func(r *http.Request) bool { return r.Header.Get("Cookie") != "" },
			Classify: func(r *http.Request) Class {
				return map[string]Class{"checkout": Checkout, "cart": Cart, "page": Browse, "bot": Crawl}[r.URL.Path[1:]]
			}})
		passed := func(path, cookie string) bool {
			r, w := httptest.NewRequest(http.MethodPost, "/"+path, strings.NewReader("{}")), httptest.NewRecorder()
			r.Header.Set("Cookie", cookie)
			through := false
			l.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { through = true })).ServeHTTP(w, r)
			if rest, _ := io.ReadAll(r.Body); !through && (len(rest) > 0 || w.Code != 503 || w.Header().Get("Retry-After") == "") {
				t.Errorf("refused with %d %v, %q of the body left", w.Code, w.Header(), rest)
			}
			return through
		}
		gone := map[string]int{} // the look after which all of a kind are refused
		for look := 1; look <= 20; look++ {
			time.Sleep(lookEvery)
			for _, kind := range []string{"bot ", "page ", "cart ", "page sid", "cart sid", "checkout "} {
				path, cookie, _ := strings.Cut(kind, " ")
				n := 0
				for range 50 {
					if passed(path, cookie) {
						n++
					}
				}
				if n == 0 && gone[kind] == 0 {
					gone[kind] = look
				}
			}
		}
		if !(0 < gone["bot "] && gone["bot "] < gone["page "] && gone["page "] < gone["cart "] && gone["cart "] < gone["page sid"]) || gone["cart sid"] != 0 || gone["checkout "] != 0 {
			t.Errorf("refused from look %v on", gone)
		}
		delay = 0
		need := l.Stats().Need
		for range 10 {
			time.Sleep(lookEvery)
			passed("page", "")
		}
		if now := l.Stats().Need; now > need-10*recovery+1e-9 || now < need-11*recovery {
			t.Errorf("a need of %v a second after one of %v", now, need)
		}
		time.Sleep(4 * time.Second) // without a request
		if !passed("bot", "") {
			t.Errorf("still refusing: %+v", l.Stats())
		}
	})
}

// A class or a client that matters more is never refused where one that matters less is let through for certain.
func TestTiers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		need := rapid.Float64Range(0, mostNeed).Draw(t, "need")
		c := Class(rapid.IntRange(0, int(classes)-1).Draw(t, "class"))
		if known := tier(c, true); known < tier(c, false) || c > Checkout && known > tier(c-1, true) {
			t.Fatalf("%v: tier %d known, %d not", c, known, tier(c, false))
		}
		if need <= float64(tier(c, true)) && c != Crawl && !spares(need, c, true) {
			t.Fatalf("%v refused at %v", c, need)
		}
	})
}

// What the service says of its own time counts instead of the time that passed here, unless it says more.
func TestTook(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"": 0, "db;dur=3, total;dur=12.5": 12500 * time.Microsecond, "total;dur=7;desc=x, edge;dur=9": 7 * time.Millisecond,
		"total;dur=x": 0, "total;dur=-4": 0, "total;dur=1e99": 0, "edge;dur=5": 0, "total;dur=NaN": 0,
	} {
		if got := serverTiming(http.Header{"Server-Timing": {header}}); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Options{Target: 50 * time.Millisecond})
		for range 500 {
			l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(400 * time.Millisecond) // of which the service knows nothing
				w.Header().Set("Server-Timing", "total;dur=20")
				w.WriteHeader(200)
			})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		}
		if got := l.Stats().Usual["browse"]; got < 19 || got > 21 {
			t.Errorf("%v ms are taken for usual, want 20", got)
		}
	})
}

// Among equals those who shop already come before newcomers, whoever came first.
func TestKnownFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Options{Min: 1, Initial: 1, Max: 1})
		first, err := l.Acquire(t.Context(), Cart, "")
		if err != nil {
			t.Fatal(err)
		}
		order := make(chan string, 4)
		for _, who := range []string{"new 1", "new 2", "known 1", "known 2"} {
			go func() {
				p, err := l.acquire(t.Context(), Cart, who, strings.HasPrefix(who, "known"))
				if err != nil {
					t.Error(who, err)
					return
				}
				order <- who
				p.Done(Served)
			}()
			synctest.Wait()
		}
		first.Done(Served)
		synctest.Wait()
		for _, want := range []string{"known 1", "known 2", "new 1", "new 2"} {
			if got := <-order; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	})
}

// While requests are refused all the time, who comes waits half as long.
func TestPatienceInLastingNeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Options{Min: 1, Initial: 1, Max: 1})
		if _, err := l.Acquire(t.Context(), Cart, ""); err != nil {
			t.Fatal(err)
		}
		waits := func() time.Duration {
			begun := time.Now()
			_, err := l.Acquire(t.Context(), Browse, "x")
			if err != ErrOverloaded {
				t.Error(err)
			}
			return time.Since(begun)
		}
		long := l.opts.Patience[Browse]
		for i, want := range []time.Duration{long, long, long, long / 2, long / 2} {
			if got := waits(); got != want {
				t.Errorf("refusal %d came after %v, want %v", i, got, want)
			}
		}
		time.Sleep(2 * lastingAfter)
		if got := waits(); got != long {
			t.Errorf("after a break %v, want %v", got, long)
		}
	})
}

// Newcomers' carts that are refused for want of processor time say nothing about how those are served who were let in.
func TestRefusedNewcomersAreNoBuyers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		known := false
		l := newLimiter(t, Options{Known: func(*http.Request) bool { return known }, Delay: func() time.Duration { return time.Hour }})
		h := l.Guard(l.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		ask := func(n int) {
			for range n {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil))
			}
		}
		for range int(tiers / quickest) { // until need is at its most
			time.Sleep(lookEvery)
			ask(1)
		}
		time.Sleep(3 * slice)
		ask(10)
		if s := l.Stats(); s.Refused != 1 || s.RefusedBuyers != 0 {
			t.Errorf("of newcomers %v are refused, and of buyers %v", s.Refused, s.RefusedBuyers)
		}
		known = true
		ask(100) // half of them
		if s := l.Stats(); s.RefusedBuyers == 0 {
			t.Error("buyers who are refused do not count")
		}
	})
}

// What a waiting room answers for is never refused for want of processor time, whoever asks; the rest is, and crawlers.
func TestQueuedAreLeftToTheRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		known, open := false, false
		l := newLimiter(t, Options{Known: func(*http.Request) bool { return known }, Delay: func() time.Duration { return time.Hour },
			Queued: func(r *http.Request) bool { return open && r.Method == http.MethodPost }})
		passed := func(method string) (n int) {
			h := l.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { n++ }))
			for range 100 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/", nil))
			}
			return n
		}
		for range int(tiers / quickest) { // until need is at its most
			time.Sleep(lookEvery)
			passed(http.MethodGet)
		}
		for _, known = range []bool{false, true} {
			open = false
			if n := passed(http.MethodPost); n == 100 {
				t.Errorf("known %v: no cart is refused", known)
			}
			open = true
			if n := passed(http.MethodPost); n != 100 {
				t.Errorf("known %v: %d of 100 carts reach the room", known, n)
			}
			if n := passed(http.MethodGet); n != 0 {
				t.Errorf("known %v: %d pages pass", known, n)
			}
		}
	})
}
