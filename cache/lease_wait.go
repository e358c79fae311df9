package cache

import (
	"bytes"
	"context"
	"time"
)

// A waiter asks again after leasePoll, then after twice as long, up to leasePollMax.
const (
	leasePoll    = 2 * time.Millisecond
	leasePollMax = 25 * time.Millisecond
)

// lease asks for the right to load key, and waits while another process has it: until the value is there (found), the right
// is ours, LeaseWait is over, or L2 cannot be used; in the last case the grant is not ok. A refresh does not wait.
func (f *Family[V]) lease(ctx context.Context, key string, old, aging *entry[V]) (g grant, found *entry[V]) {
	l := f.s.l2
	wctx, cancel := context.WithTimeout(ctx, max(f.o.LeaseWait, 0))
	defer cancel()
	var seen []byte
	for pause := leasePoll; ; pause = min(2*pause, leasePollMax) {
		born := f.s.gens.now()
		grants, err := l.lease(ctx, []string{f.redisKey(key)}, f.schema, f.s.o.LeaseTTL, f.o.LoadTimeout)
		if err != nil {
			return grant{}, nil
		}
		g = grants[0]
		if g.current != nil && !bytes.Equal(g.current, seen) {
			seen = g.current
			if e := f.better(ctx, key, g, born, old, aging); e != nil {
				l.release(ctx, g)
				return g, e
			}
		}
		if g.owned || aging != nil || f.o.LeaseWait < 0 {
			return g, nil
		}
		if pause == leasePoll {
			f.count.waited.Add(1)
		}
		t := time.NewTimer(pause)
		select {
		case <-wctx.Done():
			t.Stop()
			return g, nil
		case <-t.C:
		}
	}
}

// better makes an entry of what lies in L2 if it is valid and newer than what we have.
func (f *Family[V]) better(ctx context.Context, key string, g grant, born uint64, old, aging *entry[V]) *entry[V] {
	rec, err := decodeRecord(g.current)
	if err != nil || !time.Now().Before(rec.expires) {
		return nil
	}
	for _, have := range []*entry[V]{old, aging} {
		if have != nil && rec.expires.UnixNano() <= have.expires {
			return nil
		}
	}
	recs := []*record{rec}
	if err := f.s.l2.verify(ctx, recs, true); err != nil {
		return nil
	}
	return f.adopt([]string{key}, recs, born, time.Now())[key]
}
