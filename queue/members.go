package queue

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

const headerSent = "Sent" // by the sender's own clock

// beat is the member's pulse: it says that we are alive, notices who is not, and whether we missed something ourselves.
func (b *Bus) beat(ctx context.Context, status <-chan nats.Status) {
	_ = b.say("hello")
	tick := time.NewTicker(b.o.Heartbeat / 4) // finer than the pulse, so that the dead are noticed soon after Expiry
	defer tick.Stop()
	last, lost, dropped, n := time.Now(), b.withoutServer(), 0, 0
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-status:
			// Between losing the server and finding it again others could not reach us, nor we them.
			if s != nats.CONNECTED {
				lost = true
				b.distrust(time.Now())
				continue
			}
			if lost {
				lost = false
				b.gap("the connection was lost")
			}
		case <-b.lapsed:
			b.gap("the server or this process stood still")
		case now := <-tick.C:
			if now.Sub(last) > b.o.Expiry {
				b.gap("this process stood still")
			}
			last = time.Now()
			if d := b.droppedMessages(); d > dropped {
				dropped = d
				b.gap("this process fell behind")
			}
			if !b.nc.IsConnected() {
				continue
			}
			if lost { // it came before we could be told
				lost = false
				b.gap("the connection was lost")
			}
			if n++; n%4 == 0 {
				_ = b.say("alive")
			}
			b.expire(last)
		}
	}
}

// say publishes a word about ourselves.
func (b *Bus) say(word string) error {
	m := nats.NewMsg(b.subject + ".alive")
	m.Data = []byte(word)
	m.Header.Set(headerFrom, b.name)
	m.Header.Set(headerSent, strconv.FormatInt(int64(time.Since(b.born)), 10))
	return b.nc.PublishMsg(m)
}

// onAlive takes down that another member lives, or has left.
func (b *Bus) onAlive(m *nats.Msg) {
	from, word := m.Header.Get(headerFrom), string(m.Data)
	if from == b.name { // the others have it too
		if sent, err := strconv.ParseInt(m.Header.Get(headerSent), 10, 64); err == nil {
			b.onEcho(sent)
		}
	}
	if from == "" || from == b.name {
		return
	}
	b.mu.Lock()
	if word == "goodbye" {
		b.drop(from)
	} else if !b.closed {
		b.members[from] = time.Now()
	}
	b.m.members.Set(float64(len(b.members)))
	closed := b.closed
	b.mu.Unlock()
	if word == "hello" && !closed {
		_ = b.say("alive") // so that the newcomer knows us before its first broadcast
	}
}

// onEcho takes down that a heartbeat of ours came back. One that comes when others may have given us up does not count,
// nor does any that was sent before that was made good: see gap.
func (b *Bus) onEcho(sent int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := b.heard.Load()
	switch {
	case sent < b.trusted || sent <= last:
	case last > 0 && time.Since(b.born)-time.Duration(last) >= b.o.Expiry:
		select {
		case b.lapsed <- struct{}{}:
		default:
		}
	default:
		b.heard.Store(sent)
	}
}

// distrust makes Live false, until gap has made good what was missed.
func (b *Bus) distrust(lostAt time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trusted = math.MaxInt64
	b.heard.Store(0)
	if b.lostAt.IsZero() {
		b.lostAt = lostAt
	}
}

func (b *Bus) withoutServer() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.lostAt.IsZero()
}

// trust lets heartbeats count from now on.
func (b *Bus) trust() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trusted, b.lostAt = int64(time.Since(b.born)), time.Time{}
	select {
	case <-b.lapsed:
	default:
	}
}

// drop strikes a member out, also from broadcasts that wait for it. b.mu is held.
func (b *Bus) drop(name string) {
	delete(b.members, name)
	for _, w := range b.waiting {
		w.strike(name)
	}
}

// expire drops members that have not been heard for too long. While we are finding out who is there, nobody is.
func (b *Bus) expire(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.settled) {
		return
	}
	for name, heard := range b.members {
		if now.Sub(heard) > b.o.Expiry {
			b.o.Log.Info("a bus member is gone without goodbye", "gone", name)
			b.drop(name)
		}
	}
	b.m.members.Set(float64(len(b.members)))
}

// gap handles that we were cut off: what we know of the members is old, and we may have missed broadcasts.
func (b *Bus) gap(why string) {
	b.o.Log.Warn("broadcasts may have been missed", "reason", why)
	b.distrust(time.Now())
	b.unsettle(time.Now())
	_ = b.say("hello")
	if b.o.OnGap != nil {
		b.o.OnGap()
	}
	b.trust()
	_ = b.say("alive")
}

// unsettle has broadcasts wait until every live member has had time to be heard, and gives all known ones that time.
func (b *Bus) unsettle(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settled = now.Add(b.o.Heartbeat + b.o.Heartbeat/4)
	for name := range b.members {
		b.members[name] = now
	}
}

func (b *Bus) droppedMessages() int {
	n := 0
	for _, s := range b.subs {
		if d, err := s.Dropped(); err == nil {
			n += d
		}
	}
	return n
}
