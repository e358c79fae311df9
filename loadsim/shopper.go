package loadsim

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// What a shopper does in a session.
const (
	listsBrowsed = 20
	viewsMin     = 3
	viewsMax     = 8
	addsMax      = 5
	maxSeen      = 2000 // products remembered from lists
)

// afterFailure is how long a shopper hesitates after a bad answer; else a shop that fails fast would be asked without end.
const afterFailure = 100 * time.Millisecond

// shopper walks through the shop, one request after another.
type shopper struct {
	*run
	rng    *rand.Rand
	client *client
	tally  *tally

	seen   []product // from lists, in the order they came
	viewed []product
	expect map[int64]int64 // what the cart must hold
	doubt  bool            // an edit of the cart ended badly: nobody knows whether it took effect
	cart   money           // the cart's subtotal by its last answer
}

func newShopper(r *run, id int) *shopper {
	return &shopper{
		run: r, rng: rand.New(rand.NewPCG(r.opts.Seed, uint64(id))), client: r.newClient(), tally: r.rec.of(id),
		expect: map[int64]int64{},
	}
}

// walk goes through sessions until time is up.
func (s *shopper) walk(ctx context.Context) {
	for !s.over(ctx) {
		s.client.cookies.clear()
		s.seen, s.viewed, s.doubt = s.seen[:0], s.viewed[:0], false
		clear(s.expect)
		s.browse(ctx)
		s.look(ctx)
		if s.opts.Scenario == Journey {
			s.fill(ctx)
			s.buy(ctx)
		}
		if !s.over(ctx) {
			s.tally.journey()
		}
	}
}

func (s *shopper) over(ctx context.Context) bool {
	return ctx.Err() != nil || !time.Now().Before(s.until)
}

// verdict is what a check makes of an answer: an expected refusal's status, or a failure, or neither.
type verdict struct {
	refusal int
	fail    *failure
	order   bool
}

// ending is how a request ended, for the shopper.
type ending int

const (
	skipped ending = iota // time was up
	served
	refused // as may be expected: sold out, gone
	failed
)

// ask sends a request, has the answer checked and records it.
func (s *shopper) ask(ctx context.Context, st step, c call, check func(response) verdict) (response, ending) {
	if think := s.opts.ThinkTime; think > 0 {
		pause(ctx, think/2+rand.N(think), s.until)
	}
	if s.over(ctx) {
		return response{}, skipped
	}
	res, err := s.client.do(ctx, c)
	if ctx.Err() != nil {
		return response{}, skipped // broken off by us
	}
	var v verdict
	if err != nil {
		v.fail = sortError(err)
	} else if v = check(res); v.fail == nil && res.took > s.opts.GoodWithin {
		v.fail = wrong(kindSlow, "%s %s took %v", c.method, c.path, res.took.Round(time.Millisecond))
	}
	s.tally.add(result{step: st, took: res.took, replayed: res.replayed, refusal: v.refusal, fail: v.fail, order: v.order})
	switch {
	case v.fail != nil && v.fail.kind != kindSlow:
		pause(ctx, afterFailure+rand.N(afterFailure), s.until)
		return res, failed
	case v.refusal != 0:
		return res, refused
	default:
		return res, served
	}
}

// browse looks at lists: the front page first, then further pages, categories, brands and searches.
func (s *shopper) browse(ctx context.Context) {
	next := ""
	for i := 0; i < listsBrowsed && !s.over(ctx); i++ {
		res, end := s.ask(ctx, stepBrowse, call{method: http.MethodGet, path: s.choose(i, next)}, s.checkList)
		next = ""
		if end == served {
			next = nextPage(res.header)
		}
	}
}

// choose is the path of the next list.
func (s *shopper) choose(i int, next string) string {
	const front = "/products?limit=20"
	p := s.rng.Float64()
	switch {
	case i == 0:
		return front
	case next != "" && p < 0.35:
		return next
	case p < 0.45 && len(s.cat.searches) > 0:
		return s.cat.searches[zipf(s.rng, len(s.cat.searches))]
	case p < 0.50:
		return front + "&sort=" + [...]string{"newest", "price", "-price", "rating"}[s.rng.IntN(4)]
	case p < 0.95 && len(s.cat.lists) > 0:
		return s.cat.lists[zipf(s.rng, len(s.cat.lists))]
	default:
		return front
	}
}

func (s *shopper) checkList(res response) verdict {
	if res.status != http.StatusOK {
		return verdict{fail: wrongStatus(res.status, res.body)}
	}
	before := len(s.seen)
	all, err := parseList(res.body, s.seen)
	if err != nil {
		return verdict{fail: wrong(kindBody, "not a list of products: %s", excerpt(res.body))}
	}
	s.seen = all[:max(before, min(len(all), maxSeen))]
	return verdict{}
}

// look opens products, those that came first in the lists more often.
func (s *shopper) look(ctx context.Context) {
	views := viewsMin + s.rng.IntN(viewsMax-viewsMin+1)
	for i := 0; i < views && len(s.seen) > 0 && !s.over(ctx); i++ {
		p := s.seen[zipf(s.rng, len(s.seen))]
		c := call{method: http.MethodGet, path: "/products/" + strconv.FormatInt(p.id, 10)}
		s.ask(ctx, stepView, c, func(res response) verdict { return s.checkProduct(res, p.id) })
	}
}

func (s *shopper) checkProduct(res response, id int64) verdict {
	switch res.status {
	case http.StatusOK:
	case http.StatusNotFound:
		return verdict{refusal: res.status} // it may have gone since the list was made
	default:
		return verdict{fail: wrongStatus(res.status, res.body)}
	}
	p, err := parseProduct(res.body)
	if err != nil || p.id != id {
		return verdict{fail: wrong(kindBody, "not product %d: %s", id, excerpt(res.body))}
	}
	if !slices.ContainsFunc(s.viewed, func(v product) bool { return v.id == id }) {
		s.viewed = append(s.viewed, p)
	}
	return verdict{}
}
