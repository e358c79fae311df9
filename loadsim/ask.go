package loadsim

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// verdict is what a check makes of an answer: an expected refusal's status, or a failure, or neither.
type verdict struct {
	refusal int
	fail    *failure
	order   bool
	place   *queuePlace // a place in the waiting room instead
}

// ending is how a request ended, for the shopper.
type ending int

const (
	skipped ending = iota // time was up
	served
	refused // as may be expected: sold out, gone
	failed
)

// afterFailure is how long a shopper hesitates after a bad answer; else a shop that fails fast would be asked without end.
const afterFailure = 100 * time.Millisecond

// ask sends a request when it is due, has the answer checked and records it; it waits in the waiting room and comes back
// when told to.
func (s *shopper) ask(ctx context.Context, st step, c call, check func(*response) verdict) ending {
	due, ok := s.next(ctx)
	if !ok {
		return skipped
	}
	for tries := 0; ; {
		o := s.once(ctx, due, st, &c, check)
		switch {
		case o.place != nil:
			if !s.queueUp(ctx, o.place, o.comeBack) {
				return skipped
			}
		case o.end == failed && tries < s.plan.Retry.Times && o.again:
			if !s.comeBack(ctx, o.comeBack, tries) {
				return failed
			}
			tries++
		default:
			s.afterwards(ctx, o)
			return o.end
		}
		due = time.Now()
	}
}

// outcome is what became of one request.
type outcome struct {
	end      ending
	took     time.Duration // from due
	again    bool          // it may be tried again: 429 or 503
	comeBack time.Duration // the answer says when; 0: it does not
	place    *queuePlace   // in the waiting room
}

// once sends a request that was due at that time, and records what came of it.
func (s *shopper) once(ctx context.Context, due time.Time, st step, c *call, check func(*response) verdict) (o outcome) {
	before := time.Since(due)
	res, err := s.client.do(ctx, c)
	defer s.client.letGo()
	if ctx.Err() != nil {
		return outcome{} // broken off by us
	}
	o.took = before + res.took
	v := s.judge(&res, err, check)
	if v.place != nil {
		s.tally.queued(res.took)
		return outcome{place: v.place, comeBack: retryAfter(res.retryAfter)}
	}
	if v.fail == nil && o.took > s.plan.GoodWithin {
		v.fail = wrong(kindSlow, "%s %s took %v", c.method, c.path, o.took.Round(time.Millisecond))
	} else if v.fail != nil {
		o.end, o.comeBack = failed, retryAfter(res.retryAfter)
		o.again = res.status == http.StatusTooManyRequests || res.status == http.StatusServiceUnavailable
	}
	s.tally.add(result{step: st, took: o.took, replayed: res.replayed, refusal: v.refusal, fail: v.fail, order: v.order})
	switch {
	case o.end == failed:
	case v.refusal != 0:
		o.end = refused
	default:
		o.end = served
	}
	return o
}

// judge has the answer checked. What would be a failure may be a place in the waiting room.
func (s *shopper) judge(res *response, err error, check func(*response) verdict) verdict {
	if err != nil {
		return verdict{fail: sortError(err)}
	}
	v := check(res)
	if v.fail == nil {
		return v
	}
	if place := parsePlace(res.body); place != nil && !place.admitted {
		return verdict{place: place}
	}
	return v
}

// next waits until this shopper's next request is due, and says when that was.
func (s *shopper) next(ctx context.Context) (due time.Time, ok bool) {
	if due = s.due; !due.IsZero() { // the first request of somebody whose arrival was due
		s.due = time.Time{}
		s.tally.late(time.Since(due))
		return due, ctx.Err() == nil
	}
	return s.pace.next(ctx, s)
}

// afterwards is what an answer does to the shopper's mood.
func (s *shopper) afterwards(ctx context.Context, o outcome) {
	if p := s.plan.Patience; p > 0 && o.took > p {
		s.abandon(leftSlow)
		return
	}
	if o.end == failed && !s.pace.scheduled() {
		s.pause(ctx, afterFailure+rand.N(afterFailure))
	}
}

// comeBack waits as long as the answer says before the next try, a little more so that not all come in one instant; false
// when that is more than the shopper likes.
func (s *shopper) comeBack(ctx context.Context, told time.Duration, tries int) bool {
	wait := told
	if wait <= 0 {
		wait = time.Second << min(tries, 6)
	}
	if wait > s.plan.Retry.Longest {
		s.abandon(leftPutOff)
		return false
	}
	s.pause(ctx, wait+rand.N(wait/10+1))
	if s.over(ctx) {
		return false
	}
	s.tally.retry()
	return true
}

// retryAfter reads the header's seconds or date; 0 when there is neither.
func retryAfter(value string) time.Duration {
	if value == "" {
		return 0
	}
	if n, err := strconv.Atoi(value); err == nil {
		return time.Duration(max(0, min(n, 24*3600))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// hasJSON says whether a body could be a JSON object.
func hasJSON(body []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) }
