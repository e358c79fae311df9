package waitroom

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// shopper is a browser or a program with cookies.
type shopper struct {
	cookies map[string]string
	accept  string
}

func newShopper() *shopper { return &shopper{cookies: map[string]string{}, accept: "application/json"} }

// sessions counts up, and keeps the session in a cookie.
func sessions() func(http.ResponseWriter, *http.Request) (string, error) {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) (string, error) {
		if c, err := r.Cookie("sid"); err == nil {
			return c.Value, nil
		}
		s := "s" + strconv.FormatInt(n.Add(1), 10)
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: s})
		return s, nil
	}
}

type reply struct {
	answer
	code   int
	header http.Header
	passed bool
	seen   string // the Cookie header that came through
}

// ask sends a request through the rooms: to a path of the room, or to the queue.
func (s *shopper) ask(q *Rooms, room, path string) reply {
	r := httptest.NewRequest(http.MethodPost, path, nil)
	if strings.HasPrefix(path, "/queue") {
		r.Method = http.MethodGet
	}
	r.Header.Set("Accept", s.accept)
	for name, value := range s.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w, out := httptest.NewRecorder(), reply{}
	if strings.HasPrefix(path, "/queue") {
		q.ServeHTTP(w, r)
	} else {
		out.passed = q.Let(w, r, room)
	}
	for _, c := range w.Result().Cookies() {
		s.cookies[c.Name] = c.Value
	}
	_ = json.Unmarshal(w.Body.Bytes(), &out.answer)
	out.code, out.header, out.seen = w.Code, w.Header(), r.Header.Get("Cookie")
	return out
}

// wait has a crowd look at their places every three seconds.
func wait(q *Rooms, d time.Duration, path string, crowd []*shopper) {
	const every = 3 * time.Second
	for ; d > every; d -= every {
		time.Sleep(every)
		for _, s := range crowd {
			s.ask(q, "", path)
		}
	}
	time.Sleep(d)
}

// rooms makes rooms that run until the test ends. Use it within a bubble.
func rooms(t *testing.T, o Options) (q *Rooms, stop func()) {
	t.Helper()
	if o.Session == nil {
		o.Session = sessions()
	}
	o.Keys = [][]byte{keyA}
	q, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.Run(ctx)
	}()
	synctest.Wait()
	return q, func() { cancel(); <-done }
}

func lamps(opens time.Duration) []Room {
	now := time.Now()
	return []Room{{Name: "lamps", From: now, Opens: now.Add(opens), Until: now.Add(time.Hour)}}
}

// Those who come before the doors open are let in in their order, at the rate, and none before.
func TestDoors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, stop := rooms(t, Options{Rooms: lamps(time.Minute), Rate: 10, MaxRate: 10})
		defer stop()
		var crowd []*shopper
		for i := range 100 {
			s := newShopper()
			got := s.ask(q, "lamps", "/cart/add")
			if got.passed || got.code != http.StatusServiceUnavailable || got.Position != int64(i) || got.Admitted || got.Hopeless ||
				got.Estimate < 60 || got.Estimate > 71 || got.header.Get("Retry-After") == "" || got.Type != "/problems/waiting-room" {
				t.Fatalf("shopper %d: %+v", i, got)
			}
			crowd = append(crowd, s)
		}
		wait(q, 59*time.Second, "/queue?room=lamps", crowd)
		if got := crowd[0].ask(q, "lamps", "/cart/add"); got.passed {
			t.Fatal("in before the doors open")
		}
		wait(q, 6*time.Second+tick/2, "/queue?room=lamps", crowd) // the doors have been open for 5 s
		in := 0
		for i, s := range crowd {
			got := s.ask(q, "lamps", "/queue")
			if got.code != http.StatusOK || got.Type != "" {
				t.Fatalf("%+v", got)
			}
			if got.Admitted != (i == in) && got.Admitted {
				t.Fatalf("shopper %d is in, %d is not", i, in)
			}
			if got.Admitted {
				in++
				if !s.ask(q, "lamps", "/cart/add").passed {
					t.Errorf("shopper %d is told to be in and is not", i)
				}
			}
		}
		if in < 45 || in > 60 {
			t.Errorf("%d admitted after 5 s at 10 a second", in)
		}
		late := newShopper()
		if got := late.ask(q, "lamps", "/queue?room=lamps"); got.Admitted || got.Position != int64(99-in+1) {
			t.Errorf("who comes late: %+v", got)
		}
		if got := late.ask(q, "", "/orders/checkout"); !got.passed {
			t.Errorf("the shop as a whole does not queue: %+v", got)
		}
	})
}

// A place cannot be used by another session; whoever has none that is good gets one at the end.
func TestPlacesCannotBeShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, stop := rooms(t, Options{Rooms: lamps(time.Minute)})
		defer stop()
		first, thief := newShopper(), newShopper()
		first.ask(q, "lamps", "/cart/add")
		for range 10 {
			newShopper().ask(q, "lamps", "/cart/add")
		}
		thief.cookies["sid"] = "thief"
		thief.cookies["place-lamps"] = first.cookies["place-lamps"]
		if got := thief.ask(q, "lamps", "/cart/add"); got.Position != 11 {
			t.Errorf("the thief is at %d", got.Position)
		}
		if got := first.ask(q, "lamps", "/queue"); got.Position != 0 {
			t.Errorf("the first is at %d", got.Position)
		}
		delete(first.cookies, "place-lamps") // trying again for a better one
		if got := first.ask(q, "lamps", "/cart/add"); got.Position != 12 {
			t.Errorf("who drops the place is at %d", got.Position)
		}
	})
}

// The queue outlives the edge, orderly stopped or not.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		file := filepath.Join(t.TempDir(), "places.json")
		synctest.Test(t, func(t *testing.T) {
			open := func() (*Rooms, func()) {
				store, err := NewLocal(file)
				if err != nil {
					t.Fatal(err)
				}
				return rooms(t, Options{Rooms: []Room{{Name: "lamps", From: time.Now(), Opens: time.Now(), Until: time.Now().Add(time.Hour)}}, Store: store, Rate: 5, MaxRate: 5})
			}
			q, stop := open()
			var crowd []*shopper
			for range 40 {
				s := newShopper()
				s.ask(q, "lamps", "/cart/add")
				crowd = append(crowd, s)
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(2 * time.Second)
			if killed {
				for range 5 { // their places are in no file
					newShopper().ask(q, "lamps", "/cart/add")
				}
			}
			before := q.Status()[0]
			stop()
			q, stop = open()
			defer stop()
			after := q.Status()[0]
			if after.Admitted < before.Admitted || after.Admitted > before.Admitted+2 {
				t.Errorf("admitted %d, after the restart %d", before.Admitted, after.Admitted)
			}
			got := crowd[39].ask(q, "lamps", "/queue")
			if got.Admitted || got.Position != 39-after.Admitted {
				t.Errorf("the last is at %+v, %d admitted", got, after.Admitted)
			}
			if got := newShopper().ask(q, "lamps", "/cart/add"); got.Position < 40-after.Admitted {
				t.Errorf("who comes new is at %d", got.Position)
			}
		})
	}
}

// Places that were in no file when the edge was killed are good all the same.
func TestPlacesOutliveTheFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, stop := rooms(t, Options{Rooms: lamps(time.Minute), Rate: 1, MaxRate: 1})
		var crowd []*shopper
		for range 5 {
			s := newShopper()
			s.ask(q, "lamps", "/cart/add")
			crowd = append(crowd, s)
		}
		stop()
		q, stop = rooms(t, Options{Rooms: lamps(time.Minute), Rate: 1, MaxRate: 1}) // with a store that knows nothing
		defer stop()
		for i, s := range crowd {
			if got := s.ask(q, "lamps", "/queue"); got.Position != int64(i) {
				t.Errorf("shopper %d is at %d", i, got.Position)
			}
		}
		if got := newShopper().ask(q, "lamps", "/cart/add"); got.Position != 5 {
			t.Errorf("who comes new is at %d", got.Position)
		}
		time.Sleep(time.Minute + 6*time.Second)
		for i, s := range crowd {
			if got := s.ask(q, "lamps", "/queue"); !got.Admitted {
				t.Errorf("shopper %d is not in", i)
			}
		}
	})
}

// What is sold out is told at once, to all who wait, and taken back when there is some again.
func TestHopeless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var left atomic.Int64
		left.Store(3)
		list := lamps(time.Minute)
		list[0].Stock = func(context.Context) (int64, error) {
			if left.Load() < 0 {
				return 0, errors.New("nobody can tell")
			}
			return left.Load(), nil
		}
		q, stop := rooms(t, Options{Rooms: list})
		defer stop()
		s := newShopper()
		for _, step := range []struct {
			left int64
			want bool
		}{{3, false}, {0, true}, {-1, true}, {1, false}} {
			left.Store(step.left)
			time.Sleep(2 * stockEvery)
			if got := s.ask(q, "lamps", "/queue"); got.Hopeless != step.want || got.code != http.StatusOK || (got.header.Get("Retry-After") == "") != step.want {
				t.Errorf("%d left: %+v", step.left, got)
			}
			if got := s.ask(q, "lamps", "/cart/add"); step.want && (got.code != http.StatusConflict || got.Type != "/problems/out-of-stock") {
				t.Errorf("%d left: %+v", step.left, got)
			}
		}
	})
}

// The shop queues when demand has exceeded what it can do for a while; who was shopping goes on. When all are in and it is
// calm again, it no longer does.
func TestShopQueuesOnDemand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var exceeds, full, roomy atomic.Bool
		q, stop := rooms(t, Options{Shop: "shop", Load: func() Load { return Load{Exceeds: exceeds.Load(), Full: full.Load(), Room: roomy.Load()} }, Rate: 10})
		defer stop()
		regular := newShopper()
		regular.cookies["sid"] = "regular"
		q.Saw("regular")
		if got := regular.ask(q, "", "/cart/add"); !got.passed || q.Open() {
			t.Fatalf("quiet trade: %+v", got)
		}
		exceeds.Store(true)
		time.Sleep(4 * time.Second)
		exceeds.Store(false) // a moment is no rush
		time.Sleep(3500 * time.Millisecond)
		exceeds.Store(true)
		time.Sleep(4 * time.Second)
		if q.Open() {
			t.Fatal("it queues too early")
		}
		time.Sleep(10 * time.Second)
		if got := regular.ask(q, "", "/cart/add"); !got.passed {
			t.Errorf("a shopper was sent away: %+v", got)
		}
		if rate := q.Status()[0].Rate; rate != 10 {
			t.Errorf("a rate of %v though only those who look are refused", rate)
		}
		full.Store(true)
		time.Sleep(time.Second)
		var crowd []*shopper
		for range 200 {
			s := newShopper()
			s.ask(q, "", "/cart/add")
			crowd = append(crowd, s)
		}
		slow := q.Status()[0].Rate
		if got := crowd[199].ask(q, "", "/queue"); got.Admitted || slow >= 10 {
			t.Errorf("in a rush: %+v at a rate of %v", got, slow)
		}
		exceeds.Store(false)
		full.Store(false)
		roomy.Store(true)
		wait(q, 20*time.Second, "/queue", crowd)
		if got := crowd[199].ask(q, "", "/queue"); !got.Admitted || q.Status()[0].Rate <= slow {
			t.Errorf("with room: %+v, %+v", got, q.Status())
		}
		time.Sleep(30 * time.Second)
		if got := newShopper().ask(q, "", "/cart/add"); !got.passed || q.Open() {
			t.Errorf("calm again: %+v", got)
		}
	})
}

// An admitted place ends after its time; whoever comes back then waits again.
func TestAdmittedPlaceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, stop := rooms(t, Options{Rooms: lamps(0), TTL: time.Minute, Rate: 1, MaxRate: 1})
		defer stop()
		s := newShopper()
		s.ask(q, "lamps", "/cart/add")
		time.Sleep(2 * time.Second)
		old := s.cookies["place-lamps"]
		for age := 0; age < 55; age += 5 {
			if !s.ask(q, "lamps", "/cart/add").passed {
				t.Fatalf("sent away after %d s", age)
			}
			time.Sleep(5 * time.Second)
		}
		time.Sleep(10 * time.Second)
		for range 5 {
			newShopper().ask(q, "lamps", "/cart/add")
		}
		if got := s.ask(q, "lamps", "/cart/add"); got.passed || got.Position < 1 || s.cookies["place-lamps"] == old {
			t.Errorf("after its time: %+v", got)
		}
	})
}

// Where nobody waits, nobody is asked to.
func TestNobodyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, stop := rooms(t, Options{Rooms: lamps(0), Rate: 10, MaxRate: 10})
		defer stop()
		time.Sleep(time.Second)
		for range 20 {
			got := newShopper().ask(q, "lamps", "/cart/add")
			if !got.passed || !strings.Contains(got.seen, "sid=s") {
				t.Fatalf("%+v", got)
			}
			time.Sleep(time.Second / 8)
		}
	})
}

func TestHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, stop := rooms(t, Options{Rooms: lamps(time.Minute), Rate: 10, Shop: "shop"})
		defer stop()
		s := newShopper()
		s.ask(q, "lamps", "/queue?room=lamps")
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: "place-lamps", Value: s.cookies["place-lamps"]})
		for wait, want := range []int{1, 0} {
			time.Sleep(time.Duration(wait) * 65 * time.Second)
			if got := q.Hold(r, s.cookies["sid"]); len(got) != want {
				t.Errorf("held %v, want %d", got, want)
			}
			if got := q.Hold(r, ""); len(got) != 1 {
				t.Errorf("nobody is held: %v", got)
			}
		}
	})
}

func TestPageForBrowsers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, stop := rooms(t, Options{Rooms: lamps(time.Minute), Registerer: prometheus.NewRegistry(), Page: func(w http.ResponseWriter, _ *http.Request, status int, p Place) {
			w.Header().Set("X-Position", strconv.FormatInt(p.Position, 10))
			w.WriteHeader(status)
		}})
		defer stop()
		s := newShopper()
		s.accept = "text/html,*/*"
		if got := s.ask(q, "lamps", "/bag/add"); got.code != 503 || got.header.Get("X-Position") != "0" {
			t.Errorf("%+v", got)
		}
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, o := range []Options{{}, {Keys: [][]byte{keyA}}, {Keys: [][]byte{keyA[:15]}, Session: sessions()}, {Keys: [][]byte{keyA}, Session: sessions(), Rate: 9, MaxRate: 8},
		{Keys: [][]byte{keyA}, Session: sessions(), Shop: "A"}, {Keys: [][]byte{keyA}, Session: sessions(), Rooms: []Room{{Name: "a"}}},
		{Keys: [][]byte{keyA}, Session: sessions(), Shop: "a", Rooms: []Room{{Name: "a", From: now, Opens: now, Until: now.Add(1)}}},
		{Keys: [][]byte{keyA}, Session: sessions(), Rooms: []Room{{Name: "a", From: now, Opens: now, Until: now}}}} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "waitroom: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
