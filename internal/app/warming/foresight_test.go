package warming

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/predict"
)

func TestReordered(t *testing.T) {
	t.Parallel()
	demand := []warm.Demand{{Key: "/", Rate: 9}, {Key: "/products/1", Rate: 6}, {Key: "/p/1-a", Rate: 2}, {Key: "/products/2", Rate: 4}, {Key: "/products/3", Rate: 1}}
	got := reordered(demand, []predict.Forecast{{Code: "3"}, {Code: "77"}, {Code: "2"}, {Code: "no"}})
	want := []warm.Demand{{Key: "/", Rate: 9}, {Key: "/products/1", Rate: 0.75}, {Key: "/p/1-a", Rate: 0.25}, {Key: "/products/2", Rate: 4}, {Key: "/products/3", Rate: 8}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(demand, reordered(demand, nil)); d != "" {
		t.Error(d)
	}
}

// Products that are looked at in turns, each at its hour of the day, are foretold for their hour; frequency would name those of the hour
// before. What was learnt survives a restart.
func TestForesightLearnsHours(t *testing.T) {
	t.Parallel()
	const each = 3 // products of an hour
	dir := t.TempDir()
	cfg := config.WarmConfig{HalfLife: time.Hour, ModelDir: dir}
	synctest.Test(t, func(t *testing.T) {
		seen := warm.NewPopularity(warm.PopularityOptions{HalfLife: cfg.HalfLife})
		f, err := newForesight(cfg, "api-1", seen, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		f.model, _ = predict.New(predict.Hour, predict.Options{Aims: []int{each, 20}, Candidates: each * 24, Window: 96, Trees: 20, Depth: 3, Record: 24})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.run(ctx) }()
		for range 6 * 24 {
			for i := range each * 24 { // some an hour, and a tail that is always there
				views := 1 + float64(i*7%23)
				if i/each == time.Now().UTC().Hour() {
					views = 300
				}
				seen.Count(fmt.Sprintf("/products/%d", i+1), views)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
		}
		if st := f.standing(); !st.InUse || st.Model < st.Frequency+0.01 {
			t.Fatalf("%+v", st)
		}
		now := time.Now().UTC()
		list, err := f.Predict(ctx, now, each)
		if err != nil {
			t.Fatal(err)
		}
		hits := 0
		for i := range each {
			if slices.ContainsFunc(list, func(d warm.Demand) bool { return d.Key == fmt.Sprintf("/products/%d", now.Hour()*each+i+1) }) {
				hits++
			}
		}
		if hits < each-1 {
			t.Errorf("%d of the products wanted at %d h are foretold: %+v", hits, now.Hour(), list)
		}
		cancel()
		<-done
	})
	again, err := newForesight(cfg, "api-1", nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := again.model.Periods(); n < 100 {
		t.Errorf("%d hours are remembered", n)
	}
}

// Without a model that does better, and with one that is damaged, the frequency ranks; its errors are passed on.
func TestForesightFallsBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "api-1.model"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	down := errors.New("down")
	failing := false
	base := warm.PredictorFunc(func(context.Context, time.Time, int) ([]warm.Demand, error) {
		if failing {
			return nil, down
		}
		return []warm.Demand{{Key: "/", Rate: 3}, {Key: "/products/2", Rate: 2}, {Key: "/products/1", Rate: 1}}, nil
	})
	f, err := newForesight(config.WarmConfig{HalfLife: time.Hour, ModelDir: dir}, "api-1", base, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Predict(t.Context(), time.Now(), 2)
	if d := cmp.Diff([]warm.Demand{{Key: "/", Rate: 3}, {Key: "/products/2", Rate: 2}}, list); d != "" || err != nil {
		t.Error(d, err)
	}
	failing = true
	if _, err := f.Predict(t.Context(), time.Now(), 6); !errors.Is(err, down) {
		t.Error(err)
	}
	if (*foresight)(nil).standing() != nil {
		t.Error("nobody stands")
	}
}
