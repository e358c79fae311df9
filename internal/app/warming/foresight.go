package warming

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/predict"
)

// foresight lets warming rank products by a model that learns, hour by hour, what shoppers look at: what is seen at this hour of the
// day, what rises, what has gone out of sight. As long as the model names the next hour's most wanted no better than the decayed frequency
// that it is made from, that frequency ranks. It is a warm.Predictor.
type foresight struct {
	seen   warm.Predictor // decayed frequency
	left   float64        // of a count after an hour
	file   string         // where the model is kept; "" nowhere
	log    *slog.Logger
	fitted time.Time

	mu    sync.Mutex
	model *predict.Model
	rates map[int64]float64 // of products, when the last hour ended
}

var _ warm.Predictor = (*foresight)(nil)

// foresightOptions keep what it takes small: a training is less than a second of one processor, once a day.
var foresightOptions = predict.Options{Aims: []int{20, 100, 500}, Candidates: 600, Window: 100, Trees: 30, MaxProducts: 20_000}

const (
	foresightKeys  = 16384 // whose demand is looked at
	foresightTrain = 24 * time.Hour
)

// newForesight reads the model of this process's last life, if there is one.
func newForesight(cfg config.WarmConfig, name string, seen warm.Predictor, log *slog.Logger) (*foresight, error) {
	f := &foresight{seen: seen, left: math.Exp2(-float64(time.Hour) / float64(cfg.HalfLife)), log: log}
	if cfg.ModelDir != "" {
		f.file = filepath.Join(cfg.ModelDir, name+".model")
		m, err := predict.Load(f.file)
		if err == nil && m.Horizon() == predict.Hour {
			f.model = m
			return f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			log.Warn("the model of demand cannot be read: a new one is begun", "file", f.file, "error", err)
		}
	}
	var err error
	f.model, err = predict.New(predict.Hour, foresightOptions)
	return f, err
}

// run learns from every hour that ends, until ctx ends.
func (f *foresight) run(ctx context.Context) {
	for {
		now := time.Now().UTC()
		next := now.Truncate(time.Hour).Add(time.Hour)
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		f.learn(ctx, next.Add(-time.Hour))
	}
}

// learn takes in the hour that has just ended. What was asked for in it is what the decayed counts have now, without what is left of them
// from an hour ago.
func (f *foresight) learn(ctx context.Context, hour time.Time) {
	demand, err := f.seen.Predict(ctx, hour, foresightKeys)
	if err != nil {
		return
	}
	rates := map[int64]float64{}
	for _, d := range demand {
		if id, ok := productOf(d.Key); ok {
			rates[id] += d.Rate
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, until := f.model.Periods(); f.rates != nil && hour.After(until) {
		f.model.Observe(f.hour(hour, rates))
		if hour.Sub(f.fitted) >= foresightTrain {
			f.model.Fit()
			f.fitted = hour
		}
		f.save()
	}
	f.rates = rates
}

func (f *foresight) hour(start time.Time, rates map[int64]float64) predict.Period {
	const least = 0.5 // views in an hour that are more than what rounding leaves
	p := predict.Period{Start: start}
	for id, rate := range rates {
		views := (rate - f.left*f.rates[id]) / (1 - f.left) * time.Hour.Seconds()
		if views >= least {
			p.Products = append(p.Products, predict.Product{Code: strconv.FormatInt(id, 10), Units: views, Orders: int(views) + 1})
		}
	}
	slices.SortFunc(p.Products, func(a, b predict.Product) int { return cmp.Compare(a.Code, b.Code) })
	return p
}

func (f *foresight) save() {
	if f.file == "" {
		return
	}
	err := os.MkdirAll(filepath.Dir(f.file), 0o755)
	if err == nil {
		err = f.model.Save(f.file)
	}
	if err != nil {
		f.log.Warn("the model of demand cannot be kept", "file", f.file, "error", err)
	}
}

// Predict gives what is wanted in the order of the frequency, with products among each other in the order of the model when that is in use:
// the product that the model puts first gets the highest rate that a product has, and so on.
func (f *foresight) Predict(ctx context.Context, at time.Time, n int) ([]warm.Demand, error) {
	demand, err := f.seen.Predict(ctx, at, foresightKeys)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	if f.model.Standing().InUse {
		demand = reordered(demand, f.model.Top(at.UTC().Truncate(time.Hour), len(demand)))
	}
	f.mu.Unlock()
	items := warm.Rank(demand, nil, n)
	out := make([]warm.Demand, len(items))
	for i, it := range items {
		out[i] = warm.Demand{Key: it.Key, Rate: it.Demand}
	}
	return out, nil
}

// reordered gives the rates of products away anew, the highest to the product that is first in order; those that are not in it follow in
// their own. The addresses of a product share its rate as before.
func reordered(demand []warm.Demand, order []predict.Forecast) []warm.Demand {
	rates, place := map[int64]float64{}, map[int64]int{}
	for _, d := range demand {
		if id, ok := productOf(d.Key); ok {
			rates[id] += d.Rate
		}
	}
	for i, o := range order {
		if id, err := strconv.ParseInt(o.Code, 10, 64); err == nil {
			place[id] = i + 1
		}
	}
	var ids []int64
	for id := range rates {
		ids = append(ids, id)
		if place[id] == 0 {
			place[id] = len(order) + 1
		}
	}
	byRate := func(a, b int64) int { return cmp.Or(cmp.Compare(rates[b], rates[a]), cmp.Compare(a, b)) }
	slices.SortFunc(ids, byRate)
	ranked := slices.Clone(ids)
	slices.SortStableFunc(ranked, func(a, b int64) int { return cmp.Compare(place[a], place[b]) })
	factor := make(map[int64]float64, len(ids))
	for i, id := range ranked {
		factor[id] = rates[ids[i]] / rates[id]
	}
	out := slices.Clone(demand)
	for i := range out {
		if id, ok := productOf(out[i].Key); ok && rates[id] > 0 {
			out[i].Rate *= factor[id]
		}
	}
	return out
}

// standing tells how the model does.
func (f *foresight) standing() *predict.Standing {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.model.Standing()
	return &s
}
