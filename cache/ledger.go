package cache

import "sync"

// ledger compares the invalidations this process heard of with those Redis counted. Messages carry their numbers; when
// Redis is ahead of us for longer than a message may take, one was lost.
type ledger struct {
	mu                sync.Mutex
	word              string // of the epoch the numbers belong to
	tags, keys, clear track
}

// track follows one series of numbers.
type track struct {
	done  uint64              // everything up to here was heard
	due   uint64              // what Redis counted at the last beat
	early map[uint64]struct{} // heard beyond done
}

// maxEarly bounds the numbers heard out of order; beyond it, something before them is lost.
const maxEarly = 10_000

func (t *track) reset(n uint64) { *t = track{done: n, due: n} }

func (t *track) hear(n uint64) {
	switch {
	case n <= t.done:
	case n == t.done+1:
		t.done = n
		for {
			if _, ok := t.early[t.done+1]; !ok {
				return
			}
			t.done++
			delete(t.early, t.done)
		}
	case len(t.early) < maxEarly:
		if t.early == nil {
			t.early = map[uint64]struct{}{}
		}
		t.early[n] = struct{}{}
	}
}

// late tells whether something that was due at the last beat has not been heard, and gives it up.
func (t *track) late(n uint64) (lost bool) {
	if t.done < t.due {
		lost = true
		t.done = t.due
		for k := range t.early {
			if k <= t.done {
				delete(t.early, k)
			}
		}
		for {
			if _, ok := t.early[t.done+1]; !ok {
				break
			}
			t.done++
			delete(t.early, t.done)
		}
	}
	t.due = n
	return lost
}

// hear notes what a message or our own change was numbered. Which of the numbers it moved is said by the flags.
func (l *ledger) hear(m reading, tags, keys, clear bool) {
	word, clears := m.word()
	if word == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if word != l.word {
		l.begin(word, clears, m)
		return
	}
	if clear {
		l.clear.hear(clears)
	}
	if tags || clear {
		l.tags.hear(m.n)
	}
	if keys {
		l.keys.hear(m.keys)
	}
}

// beat notes what Redis counted, and tells whether something that it had counted a beat ago is still unheard of. A new word
// means that Redis lost its memory: from its beginning everything counts as heard.
func (l *ledger) beat(m reading) (lost bool) {
	word, clears := m.word()
	if word == "" {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if word != l.word {
		l.begin(word, clears, m)
		return false
	}
	a, b, c := l.tags.late(m.n), l.keys.late(m.keys), l.clear.late(clears)
	return a || b || c
}

func (l *ledger) begin(word string, clears uint64, m reading) {
	l.word = word
	l.tags.reset(m.n)
	l.keys.reset(m.keys)
	l.clear.reset(clears)
}
