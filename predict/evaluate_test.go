package predict_test

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/predict"
)

// A shop that sells the same every day is foretold by everybody, whatever K: precision is what there is by K, recall is whole.
func TestEvaluateByHand(t *testing.T) {
	t.Parallel()
	h := predict.History{Horizon: predict.Day}
	at := time.Date(2011, 1, 3, 0, 0, 0, 0, time.UTC)
	for i := range 20 {
		h.Periods = append(h.Periods, predict.Period{Start: at.AddDate(0, 0, i), Products: []predict.Product{{Code: "A", Units: 3, Orders: 1}, {Code: "B", Units: 2, Orders: 1}}})
	}
	r, err := predict.Evaluate(context.Background(), h, predict.EvaluateOptions{From: at.AddDate(0, 0, 10), K: []int{1, 4}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Periods != 10 || r.From != "2011-01-13" || r.To != "2011-01-22" {
		t.Errorf("%+v", r)
	}
	for _, s := range r.Scores {
		if want := map[int]float64{1: 1, 4: 0.5}[s.K]; s.Precision != want || s.Recall < 0.999 {
			t.Errorf("%+v", s)
		}
	}
	for _, m := range r.Best {
		if m.Margin != 0 || m.Low != 0 || m.High != 0 {
			t.Errorf("%+v", m)
		}
	}
}

// Nothing after a period says anything about it: with other sales later, the earlier days are judged the same.
func TestEvaluateDoesNotLookAhead(t *testing.T) {
	t.Parallel()
	h := madeHistory(t, 50, 60, predict.Day)
	from, to := h.Periods[20].Start, h.Periods[25].Start
	judge := func(h predict.History) predict.Report {
		r, err := predict.Evaluate(context.Background(), h, predict.EvaluateOptions{From: from, To: to, K: []int{10}, Options: small, Resamples: 100})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	whole, cut := judge(h), judge(h.Before(to.AddDate(0, 0, 1)))
	for i := range whole.Scores {
		if whole.Scores[i] != cut.Scores[i] {
			t.Errorf("%+v, with nothing after it %+v", whole.Scores[i], cut.Scores[i])
		}
	}
}

func TestEvaluateRefuses(t *testing.T) {
	t.Parallel()
	h := madeHistory(t, 30, 20, predict.Day)
	first, last := h.Periods[0].Start, h.Periods[len(h.Periods)-1].Start
	for _, c := range []struct {
		o    predict.EvaluateOptions
		want error
	}{
		{predict.EvaluateOptions{From: first}, predict.ErrTooShort},
		{predict.EvaluateOptions{From: last.AddDate(0, 0, 1), To: last.AddDate(0, 0, 2)}, predict.ErrTooShort},
		{predict.EvaluateOptions{From: last, To: first}, predict.ErrOptions},
		{predict.EvaluateOptions{K: []int{0}}, predict.ErrOptions},
		{predict.EvaluateOptions{Options: predict.Options{Trees: -1}}, predict.ErrOptions},
	} {
		if _, err := predict.Evaluate(context.Background(), h, c.o); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// Hours work as days do, and the report holds together whatever is asked for.
func TestEvaluateProperties(t *testing.T) {
	t.Parallel()
	h := madeHistory(t, 9, 25, predict.Hour)
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.IntRange(len(h.Periods)-6, len(h.Periods)-1).Draw(t, "first")
		k := rapid.IntRange(1, 60).Draw(t, "k")
		o := predict.Options{Trees: 2, Depth: 2, Window: 20, Candidates: 20}
		r, err := predict.Evaluate(context.Background(), h, predict.EvaluateOptions{From: h.Periods[first].Start, K: []int{k}, Options: o, Resamples: 50})
		if err != nil {
			t.Fatal(err)
		}
		if r.Periods != len(h.Periods)-first || r.InUse > r.Periods {
			t.Fatalf("%+v", r)
		}
		for _, s := range r.Scores {
			if s.Precision < 0 || s.Recall > 1+1e-9 || s.Precision > s.Recall+1e-9 {
				t.Fatalf("%+v", s)
			}
		}
		if m := r.Best[0]; m.Low > m.Margin+1e-9 || m.High < m.Margin-1e-9 {
			t.Fatalf("%+v", m)
		}
	})
}

// realHistory is a real shop's, where it is there.
func realHistory(t testing.TB, h predict.Horizon) predict.History {
	t.Helper()
	dir := cmp.Or(os.Getenv("STAMPEDE_HISTORY"), filepath.Join("..", "..", "shared", "data", "online-retail"))
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the real history is not here")
	}
	hist, err := predict.ReadHistory(context.Background(), predict.Dir(dir), h)
	if err != nil {
		t.Fatal(err)
	}
	return hist
}

// On the real history the model is better than the best baseline.
func TestEvaluateRealHistory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	h := realHistory(t, predict.Day)
	o := predict.Options{Trees: 10, Candidates: 300, Window: 30}
	r, err := predict.Evaluate(context.Background(), h, predict.EvaluateOptions{From: time.Date(2011, 8, 15, 0, 0, 0, 0, time.UTC), K: []int{100}, Options: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", r.Best)
	for _, m := range r.Best {
		if m.Margin <= 0 {
			t.Errorf("%+v", m)
		}
	}
}
