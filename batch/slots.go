package batch

import "time"

// slots are the places for batches under way over all keys. While all are taken, lanes wait, and gather.
//
// Lanes are served group by group: a place goes to a lane of the group that is being visited as long as one waits; when
// none does, and all its batches have come back, the group with the most requests is next. So callers whose requests come in
// steps, one group after the other, move in step, and batches become as large as their number allows; each costs about
// the same whatever is in it. (In the theory of queues: polling with exhaustive service, Takagi 1986.) With few
// callers there is nothing to gain, and no place is left empty while a lane waits. Within a group the
// longest queue comes first. A visit ends after twice as many batches as lanes waited when it began, and a lane that
// waited for so many visits is next, so that every lane is served in the end. Guarded by the Batcher's mutex.
//
// The callers of a group's last batch need a moment to come to the next one. A visit that would begin without them waits for as
// many requests as a visit to that group has had of late, a millisecond at most; when they do not come, fewer are hoped for.
type slots[Req, Res any] struct {
	bounded bool
	size    int
	running int
	items   int            // requests that are running
	group   string         // being served
	under   map[string]int // batches that are running, by group
	budget  int            // batches that may still begin in this visit
	visits  int
	waiting []*turn[Req, Res]

	served  int                // requests of this visit
	usual   map[string]float64 // requests of a visit of late, by group
	gather  *time.Timer        // runs while a visit waits for company
	alone   bool               // that wait is over
	timeout func()             // what gather calls
}

// turn is a worker's wait for a place.
type turn[Req, Res any] struct {
	lane   *lane[Req, Res]
	since  int           // visits when it came
	called chan struct{} // closed when the place is its
}

// crowd is how many requests for each place make it worth while to wait until a group is through.
const crowd = 4

// gatherFor bounds the wait for callers who are on their way from one group to the next. In it, usual sinks by a part for every visit
// that was smaller.
const (
	gatherFor  = time.Millisecond
	enough     = .95
	usualSink  = .95
	maxByGroup = 256 // groups to remember
)

// patience is for how many visits a lane may be passed over.
const patience = 4

// take asks for a place; nil means it is had at once.
func (s *slots[Req, Res]) take(l *lane[Req, Res]) *turn[Req, Res] {
	if !s.bounded {
		return nil
	}
	t := &turn[Req, Res]{lane: l, since: s.visits, called: make(chan struct{})}
	s.waiting = append(s.waiting, t)
	s.call()
	select {
	case <-t.called:
		return nil
	default:
		return t
	}
}

// ran counts the requests of a batch that has a place.
func (s *slots[Req, Res]) ran(n int) {
	if s.bounded {
		s.items += n
		s.served += n
	}
}

// came tells that a request was queued.
func (s *slots[Req, Res]) came() {
	if s.gather != nil {
		s.call()
	}
}

// leave gives up the place of a batch of n requests.
func (s *slots[Req, Res]) leave(l *lane[Req, Res], n int) {
	if !s.bounded {
		return
	}
	s.running--
	s.items -= n
	if s.under[l.group]--; s.under[l.group] == 0 {
		delete(s.under, l.group)
	}
	s.call()
}

// call gives places to those who are next. O(lanes that wait) for each.
func (s *slots[Req, Res]) call() {
	for s.running < s.size && len(s.waiting) > 0 {
		at := s.next()
		if at < 0 {
			return
		}
		t := s.waiting[at]
		s.waiting = append(s.waiting[:at], s.waiting[at+1:]...)
		s.group = t.lane.group
		s.budget--
		s.running++
		s.under[s.group]++
		close(t.called)
	}
}

// next is the place in the line of the turn to call; -1 to let the group under way come to its end first.
func (s *slots[Req, Res]) next() int {
	if at := s.longest(s.group); at >= 0 && s.budget > 0 {
		return at
	}
	all := s.items
	for _, t := range s.waiting {
		all += t.lane.length
	}
	if s.under[s.group] > 0 && all >= crowd*s.size {
		return -1
	}
	group, queued := s.fullest()
	if t := s.waiting[0]; s.visits-t.since > patience {
		group = t.lane.group
	} else if all >= crowd*s.size && s.expects(group, queued) {
		return -1
	}
	s.begin()
	s.visits++
	s.budget = 0
	for _, t := range s.waiting {
		if t.lane.group == group {
			s.budget += 2
		}
	}
	return s.longest(group)
}

// expects tells whether more requests for a group are worth a wait; queued of them are here.
func (s *slots[Req, Res]) expects(group string, queued int) bool {
	if group == s.group || s.alone || float64(queued) >= enough*s.usual[group] {
		return false
	}
	if s.gather == nil {
		s.gather = time.AfterFunc(gatherFor, s.timeout)
	}
	return true
}

// begin ends the wait for company, and the visit before.
func (s *slots[Req, Res]) begin() {
	if s.gather != nil {
		s.gather.Stop()
		s.gather = nil
	}
	s.alone = false
	if s.usual == nil || len(s.usual) >= maxByGroup {
		s.usual = map[string]float64{}
	}
	s.usual[s.group] = max(float64(s.served), s.usual[s.group]*usualSink)
	s.served = 0
}

// fullest is the group with the most requests that wait.
func (s *slots[Req, Res]) fullest() (group string, most int) {
	queued := map[string]int{}
	for _, t := range s.waiting { // in the order they came: of equals, the first
		queued[t.lane.group] += t.lane.length
	}
	most = -1 // a queue may have been emptied while its lane waited
	for _, t := range s.waiting {
		if n := queued[t.lane.group]; n > most {
			group, most = t.lane.group, n
		}
	}
	return group, most
}

// longest is the turn of a group with the longest queue; -1 when none waits.
func (s *slots[Req, Res]) longest(group string) int {
	best := -1
	for i, t := range s.waiting {
		if t.lane.group == group && (best < 0 || t.lane.length > s.waiting[best].lane.length) {
			best = i
		}
	}
	return best
}

func (b *Batcher[Req, Res]) group(key string) string {
	if b.o.Group == nil {
		return ""
	}
	return b.o.Group(key)
}

// SetSlots changes [Options.Slots] from now on; it has no effect on a Batcher without a bound. n is at least 1.
func (b *Batcher[Req, Res]) SetSlots(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.slots.bounded {
		b.slots.size = max(1, n)
		b.slots.call()
	}
}
