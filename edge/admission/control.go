package admission

import (
	"math"
	"time"
)

const (
	windowLeast   = 100 * time.Millisecond // a window of measurement lasts this long at least
	windowMost    = time.Second            // and ends after this, however few samples it has
	windowSamples = 10

	tolerance    = 2.0              // times the usual latency are comfortable
	rise         = 10 * time.Second // in which the usual latency follows a higher one
	fall         = 0.1              // of the way to a lower one that it goes at once
	accept       = 0.5              // of the way to one that has nothing to do with the limit
	learnSamples = 30
	steepest     = 0.7 // the least that is left of the limit after a window
	usedUp       = 0.9 // of the limit: only then is it raised
	probe        = 0.6 // of the limit is left when it is looked at whether that has helped
	helped       = 0.85
	grace        = 1.25 // times comfort that checkouts may take: they are few, and their mean jitters
	follow       = 0.3  // of the way that the load of checkouts goes to what a window has shown
	overloadCost = 2.0  // what an answer that says "overloaded" counts at least, in comfortable latencies
)

// control is the limit and what it follows from: additive growth, decrease by how far latency is above comfort. It is a
// gradient limit in that latency is compared with a baseline that is learnt, and AIMD in that nothing is reduced for
// latencies that are no trouble to anybody.
type control struct {
	target, ceiling float64 // seconds
	least, most     float64
	limit           float64
	usual           [classes]learner
	checkouts       float64 // their load alone, smoothed

	before struct{ limit, load float64 } // when the limit began to shrink; zero: it does not
	judge  time.Time                     // windows that begin after this show whether that has helped; zero: not yet

	begun   time.Time
	sum     [classes]float64 // seconds in this window
	n       [classes]int
	over    int // samples that said "overloaded"
	highest int // most requests under way in this window
}

func newControl(o Options) control {
	return control{target: o.Target.Seconds(), ceiling: o.Ceiling.Seconds(), least: float64(o.Min), most: float64(o.Max), limit: float64(o.Initial)}
}

// places is the limit as a number of requests.
func (c *control) places() int { return int(c.limit) }

// bound changes what the limit has to stay within.
func (c *control) bound(least, most int) {
	c.least, c.most = float64(least), float64(most)
	c.limit = min(max(c.limit, c.least), c.most)
}

// sample counts one answer; it tells whether the window ended, and the limit may have moved.
func (c *control) sample(now time.Time, class Class, took time.Duration, overloaded bool) bool {
	if c.begun.IsZero() {
		c.begun = now
	}
	c.sum[class] += took.Seconds()
	c.n[class]++
	if overloaded {
		c.over++
	}
	age, total := now.Sub(c.begun), 0
	for _, n := range c.n {
		total += n
	}
	if age < windowLeast || total < windowSamples && age < windowMost {
		return false
	}
	c.end(now, age, total)
	c.begun, c.sum, c.n, c.over, c.highest = now, [classes]float64{}, [classes]int{}, 0, 0
	return true
}

// end adapts the limit to what a window has shown.
func (c *control) end(now time.Time, age time.Duration, total int) {
	load := 0.0
	for class, n := range c.n {
		if n > 0 {
			load += c.sum[class] / c.comfort(Class(class))
		}
	}
	load = max(load/float64(total), c.checkoutLoad())
	if share := float64(c.over) / float64(total); share > 0 {
		load = load*(1-share) + max(load, overloadCost)*share
	}
	rush := float64(c.highest) >= c.limit/2
	for class, n := range c.n {
		c.usual[class].add(c.sum[class], n, age, rush, c.ceiling)
	}
	pressed := float64(c.highest) >= usedUp*math.Floor(c.limit)
	switch {
	case !c.judge.IsZero():
		c.verdict(load)
	case load > 1:
		c.shrink(now, load, total)
	case pressed && load < usedUp:
		c.limit = min(c.most, c.limit+math.Sqrt(c.limit))
		fallthrough
	default:
		c.before.limit = 0
	}
}

// checkoutLoad is how far checkouts are from comfort. They pass through more of the service than others and suffer first, but
// are too few to show in the mean, and often in a window.
func (c *control) checkoutLoad() float64 {
	if n := c.n[Checkout]; n > 0 {
		c.checkouts += (c.sum[Checkout]/float64(n)/c.comfort(Checkout) - c.checkouts) * min(1, follow*float64(n)/5)
	} else {
		c.checkouts *= 1 - follow // none: nothing suffers
	}
	return c.checkouts / grace
}

// shrink reduces the limit, and after a while asks for a verdict on that.
func (c *control) shrink(now time.Time, load float64, total int) {
	if c.before.limit == 0 {
		c.before.limit, c.before.load = c.limit, load
	}
	c.limit = max(c.least, c.limit*max(steepest, 1/load))
	if c.limit <= c.before.limit*probe || c.limit == c.least {
		all := 0.0
		for _, sum := range c.sum {
			all += sum
		}
		c.judge = now.Add(time.Duration(2 * all / float64(total) * float64(time.Second))) // those under way are answered by then
	}
}

// verdict tells whether a smaller limit has helped. In an overloaded service latency shrinks with it. If it does not, it
// has nothing to do with how much is under way: the service has become slower as such, and with ever fewer requests would
// only do less. Then that is what is usual now.
func (c *control) verdict(load float64) {
	if c.begun.Before(c.judge) {
		return
	}
	if load > 1 && (load > c.before.load*helped || c.before.limit == c.least) {
		for class, n := range c.n {
			if n > 0 {
				c.usual[class].accept(c.sum[class]/float64(n), c.ceiling)
			}
		}
	}
	c.before.limit, c.judge = 0, time.Time{}
}

// comfort is the latency of a class that is no sign of overload, in seconds.
func (c *control) comfort(class Class) float64 {
	return min(max(tolerance*c.usual[class].latency, c.target), c.ceiling)
}

// learner follows the latency of a class without a rush.
type learner struct {
	latency float64 // seconds; 0: not known yet

	sum  float64
	n    int
	age  time.Duration
	rush bool
}

// add takes in a window: n latencies of that sum. While there is a rush only a lower latency is believed: a higher one is
// what has to be told from it.
func (l *learner) add(sum float64, n int, age time.Duration, rush bool, most float64) {
	l.sum, l.n, l.age, l.rush = l.sum+sum, l.n+n, l.age+age, l.rush || rush
	if l.n < learnSamples {
		return
	}
	mean := l.sum / float64(l.n)
	switch {
	case l.latency == 0:
		l.latency = min(mean, most)
	case mean < l.latency:
		l.latency += (mean - l.latency) * fall
	case !l.rush:
		l.latency += (mean - l.latency) * min(1, l.age.Seconds()/rise.Seconds())
	}
	l.sum, l.n, l.age, l.rush = 0, 0, 0, false
}

// accept takes a latency for the usual one, in a few steps.
func (l *learner) accept(latency, most float64) {
	if latency > l.latency {
		l.latency = min(most, l.latency+(latency-l.latency)*accept)
	}
}
