package predict_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/predict"
)

// madeSales are the sales of a shop that was made up: products have a popularity that drifts, a weekday they like, and rare large orders
// that mean nothing; there are no sales on Saturdays.
func madeSales(days, products int, seed uint64) (sales predict.Sales) {
	rng := rand.New(rand.NewPCG(seed, 7))
	level := make([]float64, products)
	for i := range level {
		level[i] = 3 * rng.NormFloat64() / 2
	}
	day := time.Date(2011, 1, 3, 0, 0, 0, 0, time.UTC)
	for range days {
		for i := range level {
			level[i] += 0.15 * rng.NormFloat64()
		}
		if day.Weekday() != time.Saturday {
			sales = append(sales, madeDay(day, level, rng)...)
		}
		day = day.AddDate(0, 0, 1)
	}
	return sales
}

func madeDay(day time.Time, level []float64, rng *rand.Rand) (sales predict.Sales) {
	for hour := 9; hour < 13; hour++ {
		for order := range 10 {
			for i := range level {
				rate := math.Exp(level[i]) / 60
				if i%7 == int(day.Weekday()) {
					rate *= 4
				}
				if rng.Float64() > rate {
					continue
				}
				q := 1 + rng.IntN(6)
				if rng.IntN(150) == 0 {
					q = 300
				}
				sales = append(sales, predict.Sale{Invoice: fmt.Sprintf("%d%02d%02d", day.YearDay(), hour, order), Code: fmt.Sprintf("P%03d", i),
					Name: fmt.Sprintf("THING %c", 'A'+i%26), Quantity: float64(q), At: day.Add(time.Duration(hour)*time.Hour + time.Duration(order)*time.Minute), Price: 1 + float64(i%5)})
			}
		}
	}
	return sales
}

func madeHistory(t testing.TB, days, products int, h predict.Horizon) predict.History {
	t.Helper()
	hist, err := predict.ReadHistory(context.Background(), madeSales(days, products, 1), h)
	if err != nil {
		t.Fatal(err)
	}
	return hist
}

// small keeps training in tests short.
var small = predict.Options{Trees: 15, Depth: 3, Window: 30, Candidates: 150}
