package alert

import (
	"errors"
	"fmt"
	"time"
)

// Burn holds while an error budget is spent Rate times as fast as the objective allows, over a long window, which says that it
// matters, and over a short one, which says that it still goes on (Google's SRE workbook, chapter 5). The samples are
// weighed by how much there was to do, so that a bad minute at night counts as little as it was.
type Burn struct {
	Good      string  // sample: the share of good answers
	Weight    string  // sample: answers a second
	Objective float64 // of good answers, such as 0.999
	Rate      float64 // 14.4 spends 2 % of a month's budget in an hour, 6 spends 5 % in six hours
	Long      time.Duration
	Short     time.Duration
	MinEvents float64 // in the long window; fewer say nothing
}

func (b Burn) check() error {
	switch {
	case b.Good == "" || b.Weight == "":
		return errors.New("a burn rate needs the share of good answers and their number")
	case b.Objective <= 0 || b.Objective >= 1:
		return fmt.Errorf("objective %g: between 0 and 1", b.Objective)
	case b.Rate <= 0 || b.Rate*(1-b.Objective) >= 1:
		return fmt.Errorf("rate %g: above 0, and so that not even everything failing would be less", b.Rate)
	case b.Short <= 0 || b.Long < b.Short:
		return fmt.Errorf("windows %v and %v: the short one is positive and not the longer", b.Long, b.Short)
	}
	return nil
}

// budget is what there was in a slot of time.
type budget struct{ bad, all float64 }

type burning struct {
	Burn
	width time.Duration
	slots []budget // a ring
	at    int64    // the slot of the last observation, counted from the epoch
	last  time.Time
	begun time.Time

	long, short budget // the sums of the windows less the slot at hand
}

// slotsOfShort is into how many slots the short window is divided: its end is exact to one.
const slotsOfShort = 20

func (b Burn) judge() judge {
	width := max(b.Short/slotsOfShort, 50*time.Millisecond)
	return &burning{Burn: b, width: width, slots: make([]budget, int(b.Long/width)+1)}
}

func (b *burning) observe(t time.Time, m map[string]float64, _ bool) verdict {
	good, ok := sample(m, b.Good)
	weight, weighed := sample(m, b.Weight)
	if !ok || !weighed {
		return verdict{}
	}
	b.advance(t)
	if took := t.Sub(b.last); !b.last.IsZero() && took <= max(b.Short/2, 10*time.Second) { // what a longer gap was like is not known
		s := &b.slots[b.at%int64(len(b.slots))]
		events := max(0, weight) * took.Seconds()
		s.all += events
		s.bad += events * (1 - min(1, max(0, good)))
	}
	b.last = t
	now := b.slots[b.at%int64(len(b.slots))]
	long, short := b.long.plus(now), b.short.plus(now)
	v := verdict{known: t.Sub(b.begun) >= b.Short, value: b.rate(long)}
	v.holds = long.all >= b.MinEvents && v.value > b.Rate && b.rate(short) > b.Rate
	v.text = fmt.Sprintf("the error budget burns %.3g times too fast over %v, %.3g over %v; %.3g is too much", v.value, b.Long, b.rate(short), b.Short, b.Rate)
	return v
}

// advance empties the slots between the last observation and t, and adds up what is behind them.
func (b *burning) advance(t time.Time) {
	now := t.UnixNano() / int64(b.width)
	if b.last.IsZero() {
		b.at, b.begun = now, t
	}
	if now == b.at {
		return
	}
	for i := range min(now-b.at, int64(len(b.slots))) {
		b.slots[(now-i)%int64(len(b.slots))] = budget{}
	}
	b.at = now
	b.long, b.short = b.sum(b.Long), b.sum(b.Short)
}

// sum is what there was in the last d.
func (b *burning) sum(d time.Duration) (s budget) {
	n := int64(len(b.slots))
	for i := range min(int64(d/b.width), n) {
		s = s.plus(b.slots[((b.at-i)%n+n)%n])
	}
	return s
}

func (s budget) plus(o budget) budget { return budget{s.bad + o.bad, s.all + o.all} }

// rate is how many times faster than allowed a budget was spent.
func (b *burning) rate(s budget) float64 {
	if s.all == 0 {
		return 0
	}
	return s.bad / s.all / (1 - b.Objective)
}
