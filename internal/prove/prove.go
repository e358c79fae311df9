package prove

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Options of a proof. Platform is required; otherwise the zero value works.
type Options struct {
	Platform Platform
	// Quick is for about a minute instead of five.
	Quick bool
	// Pace stretches or shortens everything; 0 is 1.
	Pace float64
	// Only names criteria, by number or id; empty are all.
	Only []string
	// Costs measures what [Plan] needs also where not all criteria are asked for.
	Costs bool
	// Stranger allows a platform that `up` did not start here.
	Stranger bool
	// Prices of what a transaction takes; nil are the default ones.
	Prices *Prices
	// Seed of the shoppers' choices.
	Seed uint64
	// Progress is told what is being done, line by line.
	Progress func(string)
	// Judged is told each verdict as it is known.
	Judged func(Verdict)

	// For tests, which have slower shops and less time:
	goal  float64 // requests a second that are to be proven
	lists int     // of a journey
	known int     // products that an API server is asked for before it is measured
	stock int64   // of the limited product
	least float64 // sessions that begin in a second, however little the platform reaches
}

// Errors of [Run].
var (
	ErrStranger = errors.New("this platform was not started here by `stampede up`")
	ErrOnly     = errors.New("there is no such criterion")
)

// Report is the outcome of a proof.
type Report struct {
	Started  time.Time `json:"started"`
	Took     float64   `json:"took_s"`
	Target   string    `json:"target"`
	Version  string    `json:"version"`
	Quick    bool      `json:"quick"`
	Machine  string    `json:"machine"`
	Cores    int       `json:"cores"`
	Verdicts []Verdict `json:"verdicts"`
	PutBack  string    `json:"put_back"`           // what was undone, or what could not be
	Untidy   bool      `json:"untidy,omitempty"`   // something could not be undone
	Partial  bool      `json:"partial,omitempty"`  // not all criteria were asked for
	Costs    *Costs    `json:"costs,omitempty"`    // for plan
	Tiers    *Tiers    `json:"tiers,omitempty"`    // hit rates
	Browse   *Load     `json:"browse,omitempty"`   // the browse mix
	Journey  *Load     `json:"journey,omitempty"`  // the journey mix
	Scaling  *Scaling  `json:"scaling,omitempty"`  // API servers
	Faults   []Struck  `json:"faults,omitempty"`   // what was injected
	Books    *Books    `json:"books,omitempty"`    // our orders against the shop's
	Prices   *Prices   `json:"prices,omitempty"`   // what costs were reckoned with
	Expenses *Expenses `json:"expenses,omitempty"` // what a transaction costs, by what it takes
}

// Holds says whether everything that was asked for holds; what was skipped does only with allowSkip. What could not be put back
// does not.
func (r *Report) Holds(allowSkip bool) bool {
	for _, v := range r.Verdicts {
		if v.Outcome == Fails || v.Outcome == Skipped && !allowSkip {
			return false
		}
	}
	return !r.Untidy && len(r.Verdicts) > 0
}

// Criteria in the order in which they are measured: first what wants a quiet platform, then what breaks it, at last the books of
// all that was bought.
func Criteria() []Criterion {
	return []Criterion{throughput, browseLatency, hitRate, transactionCost, databaseLatency, scalability, availability, oversell}
}

// chosen are the criteria asked for.
func chosen(only []string) ([]Criterion, error) {
	all := Criteria()
	if len(only) == 0 {
		return all, nil
	}
	for _, name := range only {
		if !slices.ContainsFunc(all, func(c Criterion) bool { return c.is(name) }) {
			return nil, fmt.Errorf("%w: %q; there are 1 to %d", ErrOnly, name, len(all))
		}
	}
	return slices.DeleteFunc(all, func(c Criterion) bool { return !slices.ContainsFunc(only, c.is) }), nil
}

func (c Criterion) is(name string) bool { return name == c.ID || name == fmt.Sprint(c.Number) }

// Run measures every criterion. The report is complete as far as it goes, also beside an error.
func Run(ctx context.Context, o Options) (*Report, error) {
	list, err := chosen(o.Only)
	if err != nil {
		return nil, err
	}
	about, err := o.Platform.About(ctx)
	if err != nil {
		return nil, err
	}
	if !about.Here && !o.Stranger {
		return nil, fmt.Errorf("%w: %s; measuring it means loading it, buying from it and breaking it: say --yes if that is what you want", ErrStranger, about.URL)
	}
	if o.goal == 0 {
		o.goal = targetRate
	}
	if o.lists == 0 {
		o.lists = walkLists
	}
	if o.known == 0 {
		o.known = knownProducts
	}
	o.least = max(1, o.least)
	if o.Prices == nil {
		p := DefaultPrices()
		o.Prices = &p
	}
	t := newTrial(o, about)
	t.report = &Report{
		Started: time.Now().UTC(), Target: about.URL, Version: about.Version, Quick: o.Quick, Machine: machine(), Cores: runtime.NumCPU(),
		Partial: len(o.Only) > 0, Prices: o.Prices,
	}
	defer t.net.CloseIdleConnections()
	err = t.prepare(ctx)
	if err == nil {
		t.rest(ctx)
		t.judge(ctx, list)
		if t.plans() {
			t.reckon(ctx)
		}
	}
	t.tidy(ctx)
	t.report.Took = time.Since(t.report.Started).Seconds()
	return t.report, errors.Join(err, context.Cause(ctx))
}

// judge goes through the criteria.
func (t *trial) judge(ctx context.Context, list []Criterion) {
	for _, c := range list {
		t.say("%d. %s", c.Number, c.Name)
		v := c.judge(ctx, t)
		if ctx.Err() != nil {
			break // it says nothing of the platform
		}
		t.report.Verdicts = append(t.report.Verdicts, v)
		if t.o.Judged != nil {
			t.o.Judged(v)
		}
	}
	slices.SortFunc(t.report.Verdicts, func(a, b Verdict) int { return a.Number - b.Number })
}

// plans says whether what plan needs is to be measured.
func (t *trial) plans() bool { return !t.report.Partial || t.o.Costs }

// reckon measures what plan needs. That it cannot be told is no verdict.
func (t *trial) reckon(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	if err := t.costs(ctx); err != nil {
		t.say("  not measured: %v", err)
	}
}

// tidy puts everything back and says so.
func (t *trial) tidy(ctx context.Context) {
	t.say("putting everything back")
	n, err := t.putBack(ctx)
	t.report.PutBack = fmt.Sprintf("%d orders cancelled, %d products deleted", n, len(t.made))
	if err != nil {
		t.report.PutBack, t.report.Untidy = err.Error(), true
	}
}
