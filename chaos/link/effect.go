package link

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path"
	"strconv"
	"time"
)

// Direction of bytes.
type Direction string

// Directions. The zero value is Both.
const (
	Both Direction = ""
	Up   Direction = "up"   // from who connects to who is connected to
	Down Direction = "down" // the answers
)

// Effect is what a link does to connections. Several may be in force; delays add up, the narrowest width counts.
type Effect struct {
	Latency time.Duration // each way that Direction names
	Jitter  time.Duration // on top of it, evenly from none to this
	// Loss is the share of packets that are lost, 0 to 1: each is sent again after a time-out that doubles, as TCP does.
	Loss      float64
	Bandwidth int64 // bytes a second; 0 is no bound
	// Stall holds everything back, and keeps connections open, until it ends: a partition that heals.
	Stall bool
	// Cut breaks connections, and refuses new ones.
	Cut bool
	// HalfOpen ends the far side of connections without telling the near one, which waits for answers that will not come. New
	// connections find nobody either. When it ends, the near side is told.
	HalfOpen bool
	// Direction narrows delays, loss, width and stall to one way.
	Direction Direction
	// Share of the connections that are hit, chosen by chance, each for good. 0 and 1 are all.
	Share float64
	// Label is the pattern (see [path.Match]) of labels of connections that are hit. "" is all.
	Label string
}

// ErrEffect says what is wrong with an effect.
var ErrEffect = errors.New("link: wrong effect")

func (e Effect) check() error {
	if _, err := path.Match(e.Label, ""); err != nil {
		return fmt.Errorf("%w: label %q: %w", ErrEffect, e.Label, err)
	}
	switch {
	case e.Loss < 0 || e.Loss > 0.9:
		return fmt.Errorf("%w: loss %v; 0 to 0.9 is possible, and cut for all", ErrEffect, e.Loss)
	case e.Share < 0 || e.Share > 1:
		return fmt.Errorf("%w: share %v; from 0 to 1", ErrEffect, e.Share)
	case e.Latency < 0 || e.Jitter < 0 || e.Bandwidth < 0:
		return fmt.Errorf("%w: latency, jitter and bandwidth must not be negative", ErrEffect)
	case e.Direction != Both && e.Direction != Up && e.Direction != Down:
		return fmt.Errorf("%w: direction %q; up, down, or both", ErrEffect, e.Direction)
	}
	return nil
}

// inForce is an effect with its number.
type inForce struct {
	Effect
	id int64
}

// hits tells whether an effect is for a connection.
func (e *inForce) hits(conn int64, label string) bool {
	if e.Share > 0 && e.Share < 1 && chance(e.id, conn) >= e.Share {
		return false
	}
	ok, _ := path.Match(e.Label, label) // checked
	return ok || e.Label == ""
}

// chance is a number from 0 to 1 for a connection and an effect, always the same one.
func chance(effect, conn int64) float64 {
	h := fnv.New64a()
	_, _ = h.Write(strconv.AppendInt(strconv.AppendInt(nil, effect, 36), conn, 10))
	return rand.New(rand.NewPCG(h.Sum64(), 0)).Float64()
}

// way is what all effects together do to one direction of one connection.
type way struct {
	latency, jitter time.Duration
	loss            float64
	bandwidth       int64
	stall           bool
}

func (w *way) add(e *Effect) {
	w.latency += e.Latency
	w.jitter += e.Jitter
	w.loss = 1 - (1-w.loss)*(1-e.Loss)
	if e.Bandwidth > 0 && (w.bandwidth == 0 || e.Bandwidth < w.bandwidth) {
		w.bandwidth = e.Bandwidth
	}
	w.stall = w.stall || e.Stall
}

// clear tells whether bytes pass at once.
func (w *way) clear() bool { return *w == way{} }

// Of a link that loses packets: their size, and how long after one the sender sends it again.
const (
	packet      = 1460
	resend      = 200 * time.Millisecond
	resendAtAll = 6
)

// delay draws how much later than sent so many bytes arrive, apart from the time that the width of the link takes.
func (w *way) delay(n int) time.Duration {
	d := w.latency
	if w.jitter > 0 {
		d += rand.N(w.jitter)
	}
	if w.loss == 0 {
		return d
	}
	worst := 0 // packets are sent again beside each other
	for range (n + packet - 1) / packet {
		tries := 0
		for tries < resendAtAll && rand.Float64() < w.loss {
			tries++
		}
		worst = max(worst, tries)
	}
	return d + resend*time.Duration(1<<worst-1)
}
