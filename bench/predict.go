package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/stampede-shop/stampede/predict"
)

// historyEnv names another history than the one beside the repository.
const (
	historyEnv     = "STAMPEDE_HISTORY"
	historyDefault = "../shared/data/online-retail"
)

// Of a cache of so many products that has just started, and is asked for what a real shop sold next.
var (
	predictSizes = []int{100, 300}
	predictEarly = 200 // requests after the start that are looked at first
	predictFrom  = time.Date(2011, 7, 1, 0, 0, 0, 0, time.UTC)
)

const spike = 2 // times as many requests as in an ordinary hour of late

// benchPredict warms an empty cache with what the model, and with what decayed frequency expects, and plays what came: the next day from its
// morning, and the hours in which a spike opens. Each line of an invoice is a request for its product. The figure is the hit rate of a
// day's first requests with the model, the anchor that with the frequency.
func benchPredict(ctx context.Context) (r result, err error) {
	t := newTable("start", "cache", "requests", "periods", "cold %", "frequency %", "model %", "gain, points", "95 %")
	r = result{Unit: fmt.Sprintf("hit rate of a day's first %d requests, cache of %d", predictEarly, predictSizes[0]), Runs: 1}
	for _, horizon := range []predict.Horizon{predict.Day, predict.Hour} {
		plays, err := playHistory(ctx, horizon)
		if err != nil {
			return r, err
		}
		name := "a day begins"
		if horizon == predict.Hour {
			name = fmt.Sprintf("a spike opens (hour with %d times the usual)", spike)
		}
		for i, p := range plays {
			low, high := pairedInterval(p.model, p.frequency)
			t.add(name, fmt.Sprint(p.size), p.span, fmt.Sprint(len(p.model)), percent(p.cold), percent(p.frequency), percent(p.model),
				fmt.Sprintf("%+.2f", 100*(meanOf(p.model)-meanOf(p.frequency))), fmt.Sprintf("%+.2f to %+.2f", 100*low, 100*high))
			if horizon == predict.Day && i == 0 {
				r.Ours, r.Anchor = meanOf(p.model), meanOf(p.frequency)
				r.Ratio = r.Ours / r.Anchor
			}
		}
	}
	t.print()
	r.Details = map[string]any{"columns": t.head, "rows": t.rows}
	return r, nil
}

// play are the hit rates of one size of cache, by period.
type play struct {
	size                   int
	span                   string
	cold, frequency, model []float64
}

// playHistory goes through the history as the platform would: learns from every period, trains trees once a day (days: once a week), and
// warms and plays those that count.
func playHistory(ctx context.Context, horizon predict.Horizon) ([]*play, error) {
	dir := cmp.Or(os.Getenv(historyEnv), historyDefault)
	h, err := predict.ReadHistory(ctx, requestsOf(predict.Dir(dir)), horizon)
	if err != nil {
		return nil, fmt.Errorf("%w; name a folder of sales by %s", err, historyEnv)
	}
	m, err := predict.New(horizon, predict.Options{Aims: []int{30, 100, 300}, Candidates: 1000, Window: 60, Trees: 40})
	if err != nil {
		return nil, err
	}
	var plays []*play
	for _, size := range predictSizes {
		plays = append(plays, &play{size: size, span: fmt.Sprintf("first %d", predictEarly)}, &play{size: size, span: "all"})
	}
	first, usual, day := len(h.Before(predictFrom).Periods), 0.0, 0
	for i, p := range h.Periods {
		trace := traceOf(p)
		if d := p.Start.YearDay(); i >= first-120 && d != day && (horizon == predict.Hour || i%5 == 0) {
			m.Fit()
			day = d
		}
		if i >= first && (horizon == predict.Day || float64(len(trace)) >= spike*usual) {
			for j := 0; j < len(plays); j += 2 {
				warmAndPlay(m, p, trace, plays[j], plays[j+1])
			}
		}
		m.Observe(p)
		usual += (float64(len(trace)) - usual) / 50
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return plays, nil
}

// requestsOf makes every line one request.
func requestsOf(src predict.Source) predict.Source {
	return predict.SourceFunc(func(ctx context.Context) iter.Seq2[predict.Sale, error] {
		return func(yield func(predict.Sale, error) bool) {
			for s, err := range src.Sales(ctx) {
				s.Quantity = min(s.Quantity, 1)
				if !yield(s, err) {
					return
				}
			}
		}
	})
}

func traceOf(p predict.Period) (trace []string) {
	for _, b := range p.Baskets {
		for _, i := range b {
			trace = append(trace, p.Products[i].Code)
		}
	}
	return trace
}

func warmAndPlay(m *predict.Model, p predict.Period, trace []string, early, all *play) {
	for _, w := range []struct {
		top       []predict.Forecast
		early, to *[]float64
	}{
		{nil, &early.cold, &all.cold},
		{m.Frequency(early.size), &early.frequency, &all.frequency},
		{m.Top(p.Start, early.size), &early.model, &all.model},
	} {
		first, whole := playTrace(w.top, trace, early.size)
		*w.early, *w.to = append(*w.early, first), append(*w.to, whole)
	}
}

// playTrace plays requests to a cache as L1 is one, warmed with the best before.
func playTrace(top []predict.Forecast, trace []string, size int) (first, whole float64) {
	c := otter.Must(&otter.Options[string, struct{}]{MaximumSize: size, Executor: func(f func()) { f() }})
	for _, f := range slices.Backward(top) { // the best come last: they are the most recent
		c.Set(f.Code, struct{}{})
	}
	hits := 0
	for i, key := range trace {
		if _, ok := c.GetIfPresent(key); ok {
			hits++
		} else {
			c.Set(key, struct{}{})
		}
		if i+1 == predictEarly || i+1 == len(trace) && first == 0 {
			first = float64(hits) / float64(i+1)
		}
	}
	return first, float64(hits) / float64(max(len(trace), 1))
}

func meanOf(v []float64) (sum float64) {
	for _, x := range v {
		sum += x
	}
	return sum / float64(max(len(v), 1))
}

func percent(v []float64) string { return fmt.Sprintf("%.2f", 100*meanOf(v)) }

// pairedInterval is the 95 % interval of the mean difference, by the bootstrap.
func pairedInterval(a, b []float64) (low, high float64) {
	const resamples = 2000
	rng := rand.New(rand.NewPCG(1, 2))
	means := make([]float64, resamples)
	for i := range means {
		for range a {
			j := rng.IntN(len(a))
			means[i] += (a[j] - b[j]) / float64(len(a))
		}
	}
	slices.Sort(means)
	return means[resamples/40], means[resamples-resamples/40]
}
