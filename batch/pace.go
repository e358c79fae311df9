package batch

import "time"

// pace measures a lane: how far apart requests arrive and how long a batch takes, as moving averages, and how many
// callers there are.
type pace struct {
	last time.Time
	gap  float64 // seconds
	run  float64 // seconds
	peak float64 // items of a batch and those that came while it ran; sinking slowly
}

const (
	weight = 1. / 8
	sink   = .98
)

// arrived counts an arrival. A pause counts for no more than two lingers, or one quiet night would hide the morning.
func (p *pace) arrived(now time.Time, linger time.Duration) {
	if !p.last.IsZero() {
		gap := min(now.Sub(p.last), 2*linger).Seconds()
		p.gap += weight * (gap - p.gap)
	}
	p.last = now
}

func (p *pace) ran(callers int, d time.Duration) {
	p.run += weight * (d.Seconds() - p.run)
	p.peak = max(p.peak*sink, float64(callers))
}

// linger is how long to wait for company, and for how many in all. It pays when the wait is small beside what a batch
// takes anyway (a quarter) and will, at the pace of late, at least double what is queued. As callers come back together
// when a batch has answered them, the peak of late is what may be hoped for.
func (p *pace) linger(queued, maxSize int, most time.Duration) (wait time.Duration, target int) {
	if p.gap <= 0 || p.run <= 0 || queued == 0 || queued >= maxSize {
		return 0, 0
	}
	w := min(most.Seconds(), p.run/4)
	more := int(w / p.gap)
	if more < queued {
		return 0, 0
	}
	return time.Duration(w * float64(time.Second)), min(max(queued+more, int(p.peak+.5)), maxSize)
}

// linger says whether the worker that asks shall wait for company, for how long, and on which channel.
func (b *Batcher[Req, Res]) linger(l *lane[Req, Res]) (time.Duration, chan struct{}) {
	if b.o.MaxLinger <= 0 || l.company != nil || b.closed {
		return 0, nil
	}
	wait, target := l.pace.linger(l.length, b.o.MaxSize, b.o.MaxLinger)
	if wait <= 0 {
		return 0, nil
	}
	b.count.Lingers++
	l.target, l.company = target, make(chan struct{})
	return wait, l.company
}

// await waits until the lane is as long as hoped for, or the time is over.
func (b *Batcher[Req, Res]) await(l *lane[Req, Res], wait time.Duration, company chan struct{}) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-company:
		return
	case <-t.C:
	case <-b.quit:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.company == company {
		l.company = nil
	}
}
