package admission

import "time"

// levels is how finely the requests of one client are told apart: its first, its second, … its sixteenth and beyond. Those of
// newcomers come after, in as many levels again.
const levels = 16

// waiter is a request that waits for a place.
type waiter struct {
	class      Class
	level      int
	client     uint64
	since      time.Time
	patience   time.Duration
	decided    chan struct{} // closed when it has got its place, or was pushed out
	admitted   bool
	prev, next *waiter
	queued     bool
}

// line is a doubly linked list of waiters, the oldest first.
type line struct{ oldest, newest *waiter }

func (l *line) push(w *waiter) {
	w.queued, w.prev, w.next = true, l.newest, nil
	if l.newest != nil {
		l.newest.next = w
	} else {
		l.oldest = w
	}
	l.newest = w
}

func (l *line) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.oldest = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		l.newest = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
}

// queue holds those who wait: by class, and within a class by whether their client was known, and by how many requests it had already.
type queue struct {
	lines [classes][2 * levels]line
	size  [classes]int
	level [classes][2 * levels]int // sizes of the lines
	total int
}

func (q *queue) push(w *waiter) {
	q.lines[w.class][w.level].push(w)
	q.size[w.class]++
	q.level[w.class][w.level]++
	q.total++
}

func (q *queue) remove(w *waiter) {
	q.lines[w.class][w.level].remove(w)
	q.size[w.class]--
	q.level[w.class][w.level]--
	q.total--
}

// ahead is how many have their turn before somebody who comes now.
func (q *queue) ahead(c Class, level int) (n int) {
	for higher := range c {
		n += q.size[higher]
	}
	for _, size := range q.level[c][:level+1] {
		n += size
	}
	return n
}

// first is who is next: the highest class, or the lowest that waits, and in it the lowest level; nil when nobody waits.
// In an overload where the queue could not be kept short, and the oldest has waited for half of its patience, the newest is served: the
// old ones are likely to be gone before their turn, and else everybody would wait for as long as they can.
func (q *queue) first(now time.Time, overload, lowest bool) *waiter {
	for i := range classes {
		class := i
		if lowest {
			class = classes - 1 - i
		}
		if q.size[class] == 0 {
			continue
		}
		for level := range q.lines[class] {
			l := &q.lines[class][level]
			switch {
			case l.oldest == nil:
			case overload && now.Sub(l.oldest.since) >= l.oldest.patience/2:
				return l.newest
			default:
				return l.oldest
			}
		}
	}
	return nil
}

// last is who has the least claim to wait: of the lowest class and there the highest level, the oldest.
func (q *queue) last() *waiter {
	for class := classes - 1; class >= 0; class-- {
		if q.size[class] == 0 {
			continue
		}
		for level := 2*levels - 1; level >= 0; level-- {
			if w := q.lines[class][level].oldest; w != nil {
				return w
			}
		}
	}
	return nil
}
