package loadsim

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// waitingRoom lets nobody to the shop before they have asked for their place so many times; a cookie says who they are.
type waitingRoom struct {
	mu       sync.Mutex
	asked    map[string]int
	polls    int
	hopeless bool
	sids     atomic.Int64
	refused  atomic.Int64
}

func (q *waitingRoom) gate(w http.ResponseWriter, r *http.Request) bool {
	if strings.Contains(r.URL.RawQuery, "limit=100") {
		return false // discovery
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	who := ""
	if c, err := r.Cookie("place"); err == nil {
		who = c.Value
	} else {
		who = itoa(int(q.sids.Add(1)))
		http.SetCookie(w, &http.Cookie{Name: "place", Value: who})
	}
	admitted := q.asked[who] >= q.polls
	place := map[string]any{"position": 5, "estimate_s": 2, "admitted": admitted, "hopeless": q.hopeless}
	if r.URL.Path == "/queue" {
		q.asked[who]++
		place["admitted"] = q.asked[who] >= q.polls
		reply(w, http.StatusOK, place)
		return true
	}
	if !admitted {
		q.refused.Add(1)
		reply(w, http.StatusServiceUnavailable, place)
		return true
	}
	return false
}

// A place in the waiting room is neither good nor bad; who is let in goes on where they were.
func TestWaitingRoomIsCountedApart(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	q := &waitingRoom{asked: map[string]int{}, polls: 2}
	gate := q.gate
	s.fault.Store(&gate)
	r := short(t, s, "load: {users: 5, duration: 1m}\nshoppers: [{steps: [{browse: 2}, {view: 1}, {pause: 200ms}]}]", func(o *Options) { o.enough = after(&s.requests, 60) })
	polls := int64(0)
	for _, n := range q.asked {
		polls += int64(n)
	}
	w := r.WaitingRoom
	if r.Summary.Failed != 0 || w.Admitted == 0 || r.ResponseTimes["browse"].Count == 0 || r.Summary.SuccessRate != 1 {
		t.Fatalf("%s", r.text())
	}
	if w.Places != polls+q.refused.Load() || w.Answers.Count != w.Places || w.Waits.Count != w.Admitted || w.Waits.P50 < 0.9 {
		t.Errorf("%d polls, %d told to wait: %+v", polls, q.refused.Load(), w)
	}
	if served := s.requests.Load() - 1 - w.Places; r.Summary.TotalRequests != served {
		t.Errorf("%d requests, the shop served %d", r.Summary.TotalRequests, served)
	}
}

func TestHopelessShoppersLeave(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	q := &waitingRoom{asked: map[string]int{}, polls: 2, hopeless: true}
	gate := q.gate
	s.fault.Store(&gate)
	r := short(t, s, "load: {users: 2, duration: 1m}\nthink: 20ms\nshoppers: [{steps: [{browse: 2}]}]", func(o *Options) { o.enough = after(&q.refused, 3) })
	if r.Summary.TotalRequests != 0 || r.Summary.Abandoned[leftHopeless] == 0 || r.WaitingRoom.Admitted != 0 {
		t.Errorf("%s", r.text())
	}
}

func TestParsePlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]*queuePlace{
		`{"position":3,"estimate_s":1.5,"admitted":false,"hopeless":false}`:                       {estimate: 15e8},
		` {"type":"x","status":503,"position":0,"estimate_s":0,"admitted":false,"hopeless":true}`: {hopeless: true},
		`{"admitted":true}`:                  {admitted: true},
		`{"admitted":false}`:                 nil,
		`{"position":3}`:                     nil,
		`[{"position":3,"admitted":false}]`:  nil,
		`{"position":"x","admitted":false}`:  nil,
		`{"detail":"position and admitted"}`: nil,
		``:                                   nil,
	} {
		got := parsePlace([]byte(text))
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}
