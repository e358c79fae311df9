package predict_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/predict"
)

func encoded(t *testing.T, m *predict.Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func trained(t testing.TB, h predict.History, o predict.Options) *predict.Model {
	t.Helper()
	m, err := predict.Train(context.Background(), h, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The same history and seed give the same file, another seed another; and what comes back from a file goes on like what was written.
func TestModelIsDeterministicAndSurvives(t *testing.T) {
	t.Parallel()
	h := madeHistory(t, 60, 100, predict.Day)
	early, late := predict.History{Horizon: h.Horizon, Periods: h.Periods[:40]}, h.Periods[40:]
	m := trained(t, early, small)
	file := encoded(t, m)
	if !bytes.Equal(file, encoded(t, trained(t, early, small))) {
		t.Error("the same training gave another model")
	}
	other := small
	other.Seed = 2
	if bytes.Equal(file, encoded(t, trained(t, early, other))) {
		t.Error("another seed gave the same model")
	}
	path := filepath.Join(t.TempDir(), "demand.model")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	back, err := predict.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range late {
		m.Observe(p)
		back.Observe(p)
	}
	m.Fit()
	back.Fit()
	if !bytes.Equal(encoded(t, m), encoded(t, back)) {
		t.Error("the model that was loaded went on otherwise")
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	h := madeHistory(t, 25, 30, predict.Day)
	file := encoded(t, trained(t, h, small))
	dir := t.TempDir()
	flipped := bytes.Clone(file)
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":   {nil, "not a model"},
		"other":   {[]byte("hello\nworld"), "not a model"},
		"cut":     {file[:len(file)-10], "checksum"},
		"flipped": {flipped, "checksum"},
		"newer":   {bytes.Replace(file, []byte("stampede-demand 1 "), []byte("stampede-demand 9 "), 1), "version 9"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := predict.Load(path); !errors.Is(err, predict.ErrModel) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := predict.Load(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// Products that always sell on one weekday are named for it.
func TestModelLearnsWeekdays(t *testing.T) {
	t.Parallel()
	h := madeHistory(t, 150, 120, predict.Day)
	r, err := predict.Evaluate(context.Background(), h, predict.EvaluateOptions{From: h.Periods[len(h.Periods)-25].Start, K: []int{20}, Options: small, Resamples: 500})
	if err != nil {
		t.Fatal(err)
	}
	if r.Best[0].Low <= 0 || r.InUse != r.Periods {
		t.Errorf("no better than the best baseline: %+v", r)
	}
}

// Where there is nothing to learn, the frequency ranks.
func TestModelFallsBack(t *testing.T) {
	t.Parallel()
	var h predict.History
	h.Horizon = predict.Day
	at := time.Date(2011, 1, 3, 0, 0, 0, 0, time.UTC)
	for i := range 40 { // exactly the same every day: frequency names all
		h.Periods = append(h.Periods, predict.Period{Start: at.AddDate(0, 0, i), Products: []predict.Product{{Code: "A", Units: 3, Orders: 1}, {Code: "B", Units: 2, Orders: 1}}, Baskets: [][]int{{0, 1}}})
	}
	m := trained(t, h, small)
	if st := m.Standing(); st.InUse || st.Periods == 0 {
		t.Errorf("%+v", st)
	}
	if top := m.Top(time.Time{}, 5); len(top) != 2 || top[0].Code != "A" || top[0].Units != 3 || top[0].Score != top[0].Units {
		t.Errorf("%+v", top)
	}
	if top := m.Top(time.Time{}, 0); len(top) != 0 {
		t.Errorf("%+v", top)
	}
}

// A campaign that lifted sales before lifts what is expected in the next one.
func TestModelLearnsCampaigns(t *testing.T) {
	t.Parallel()
	at := time.Date(2011, 1, 3, 0, 0, 0, 0, time.UTC)
	h := predict.History{Horizon: predict.Day}
	o := small
	code := func(i int) string { return string([]byte{'A' + byte(i/26), 'A' + byte(i%26)}) }
	campaign := func(d, first int) predict.Campaign {
		c := predict.Campaign{Start: at.AddDate(0, 0, d), End: at.AddDate(0, 0, d+1)}
		for i := range 8 {
			c.Codes = append(c.Codes, code((first+i*11)%200))
		}
		return c
	}
	for d := range 90 {
		p := predict.Period{Start: at.AddDate(0, 0, d)}
		for i := range 200 {
			p.Products = append(p.Products, predict.Product{Code: code(i), Units: float64(1 + (i*7+d*13)%20), Orders: 1})
		}
		if d%3 == 0 {
			c := campaign(d, d*17)
			o.Campaigns = append(o.Campaigns, c)
			for i := range p.Products {
				if slices.Contains(c.Codes, p.Products[i].Code) {
					p.Products[i].Units = 500
				}
			}
		}
		h.Periods = append(h.Periods, p)
	}
	next := campaign(90, 90*17)
	o.Campaigns = append(o.Campaigns, next)
	m := trained(t, h, o)
	named := func(m *predict.Model) (n int) {
		for _, f := range m.Top(time.Time{}, 20) {
			if slices.Contains(next.Codes, f.Code) {
				n++
			}
		}
		return n
	}
	o.Campaigns = o.Campaigns[:len(o.Campaigns)-1]
	if with, without := named(m), named(trained(t, h, o)); with < 7 || without > 4 {
		t.Errorf("of 8 promoted products %d are expected among the 20 best, %d when nobody knows of the campaign", with, without)
	}
}

// Memory is bounded: the products not sold for longest are forgotten.
func TestModelForgets(t *testing.T) {
	t.Parallel()
	o := small
	o.MaxProducts = 20
	m, err := predict.New(predict.Day, o)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2011, 1, 3, 0, 0, 0, 0, time.UTC)
	for d := range 60 {
		var p predict.Period
		p.Start = at.AddDate(0, 0, d)
		for i := range 5 {
			p.Products = append(p.Products, predict.Product{Code: string([]byte{'A' + byte(d/26), 'A' + byte(d%26), 'a' + byte(i)}), Name: "WORD " + string([]byte{'A' + byte(d/26), 'A' + byte(d%26), 'X'}), Units: 1, Orders: 1})
		}
		m.Observe(p)
	}
	if top := m.Top(time.Time{}, 1000); len(top) > 23 || len(top) < 20 {
		t.Errorf("%d products", len(top))
	}
}

func TestTrainRefuses(t *testing.T) {
	t.Parallel()
	if _, err := predict.Train(context.Background(), predict.History{Horizon: predict.Day}, small); !errors.Is(err, predict.ErrTooShort) {
		t.Error(err)
	}
	if _, err := predict.New("week", small); !errors.Is(err, predict.ErrOptions) {
		t.Error(err)
	}
	if _, err := predict.New(predict.Day, predict.Options{Depth: 30}); !errors.Is(err, predict.ErrOptions) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := predict.Train(ctx, madeHistory(t, 5, 5, predict.Day), small); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
