package loadsim

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/stampede-shop/stampede/loadsim/scenario"
)

// What a shopper remembers within a session, so that a hundred thousand of them fit into memory.
const (
	maxSeen   = 100 // products from lists
	seenEach  = 5   // of them from one list
	maxViewed = 64
)

// shopper walks through the shop, one request after another.
type shopper struct {
	*run
	id     int
	rng    *rand.Rand
	client client
	tally  *tally
	kind   *kind

	due    time.Time // when the next request is due; zero: when the pacer says
	gone   bool      // the shopper has left this session
	seen   []product
	viewed []product
	expect map[int64]int64 // what the cart must hold
	doubt  bool            // an edit of the cart ended badly: nobody knows whether it took effect
	cart   money           // the cart's subtotal by its last answer
}

func newShopper(r *run, id int) *shopper {
	return &shopper{
		run: r, id: id, rng: rand.New(rand.NewPCG(r.opts.Seed, uint64(id))), client: r.newClient(), tally: r.rec.of(id),
		expect: map[int64]int64{},
	}
}

// walk goes through sessions until time is up.
func (s *shopper) walk(ctx context.Context) {
	for !s.over(ctx) {
		s.session(ctx)
	}
	s.client.leave()
}

// session is one visit, by somebody new.
func (s *shopper) session(ctx context.Context) {
	s.client.leave()
	s.kind = s.pick()
	s.client.agent, s.client.forgets = s.kind.agent, s.kind.forgets
	s.seen, s.viewed, s.doubt, s.gone = s.seen[:0], s.viewed[:0], false, false
	clear(s.expect)
	for i := range s.kind.steps {
		if s.done(ctx) {
			break
		}
		s.act(ctx, &s.kind.steps[i])
	}
	if !s.over(ctx) {
		s.tally.journey()
	}
}

func (s *shopper) act(ctx context.Context, st *scenario.Step) {
	switch st.Do {
	case scenario.Browse:
		s.browse(ctx, s.times(st))
	case scenario.View:
		s.look(ctx, s.times(st), st.Of)
	case scenario.Stock:
		s.askStock(ctx, s.times(st), st.Of)
	case scenario.Add:
		s.fill(ctx, s.times(st), st.Of)
	case scenario.Checkout:
		s.buy(ctx)
	case scenario.Crawl:
		s.crawl(ctx, s.times(st))
	case scenario.Get:
		s.get(ctx, st.Path)
	case scenario.Wait:
		s.waitForDoors(ctx)
	case scenario.Pause:
		s.pause(ctx, s.between(st.Pause))
	case scenario.Leave:
		if s.rng.Float64() < float64(st.Chance) {
			s.abandon(leftUnmoved)
		}
	}
}

// Why shoppers leave before they have done what they came for.
const (
	leftUnmoved  = "changed_mind" // as the scenario has it
	leftSlow     = "too_slow"     // an answer took longer than their patience
	leftPutOff   = "put_off"      // they were told to come back later than they like, or too often
	leftHopeless = "sold_out"     // the waiting room said that there is nothing left for them
)

func (s *shopper) abandon(why string) {
	if !s.gone {
		s.gone = true
		s.tally.abandon(why)
	}
}

func (s *shopper) done(ctx context.Context) bool { return s.gone || s.over(ctx) }

func (s *shopper) times(st *scenario.Step) int {
	return st.Times.Min + s.rng.IntN(st.Times.Max-st.Times.Min+1)
}

func (s *shopper) between(span scenario.Span) time.Duration {
	return span.Min + time.Duration(s.rng.Int64N(int64(span.Max-span.Min)+1))
}

// pick is the kind of shopper that comes next.
func (s *shopper) pick() *kind {
	at := s.rng.Float64() * s.kinds[len(s.kinds)-1].upTo
	for i := range s.kinds {
		if at < s.kinds[i].upTo {
			return &s.kinds[i]
		}
	}
	return &s.kinds[len(s.kinds)-1]
}

// over says whether no more is to be asked: time is up, or this shopper is one too many.
func (s *shopper) over(ctx context.Context) bool {
	return ctx.Err() != nil || s.pace.over(s) || !time.Now().Before(s.until) || s.had()
}

// had says whether a test has seen enough.
func (r *run) had() bool { return r.opts.enough != nil && r.opts.enough() }

// pause waits for d, but not beyond the end.
func (s *shopper) pause(ctx context.Context, d time.Duration) {
	pause(ctx, min(d, time.Until(s.until)))
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
