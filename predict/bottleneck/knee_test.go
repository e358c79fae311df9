package bottleneck_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/predict/bottleneck"
	"github.com/stampede-shop/stampede/usl"
)

// Where use bends as the load grows, the knee and what makes it are named as they were planted; a straight line has none.
func TestNamesTheKnee(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		law  usl.Law
		want string
	}{
		{"straight", usl.Law{Lambda: 10}, ""},
		{"contention", usl.Law{Lambda: 20, Sigma: 0.03}, bottleneck.Contention},
		{"coherency", usl.Law{Lambda: 12, Kappa: 0.0002}, bottleneck.Coherency},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(3, 1))
			d := bottleneck.New(bottleneck.Options{})
			var a []bottleneck.Advice
			for s := 0; s < 400 && len(a) == 0; s++ {
				n := 20 + 70*float64(s)/400 // in use, of 100
				load := c.law.Throughput(n) * (1 + 0.003*rng.NormFloat64())
				d.Observe(bottleneck.Sample{At: start.Add(time.Duration(s) * time.Second), Load: load, Use: map[string]float64{"pool/shard2": n/100 + 0.003*rng.NormFloat64()}})
				if s > 250 {
					a = d.Advice()
				}
			}
			if len(a) != 1 || a[0].Limited != c.want {
				t.Fatalf("%+v", a)
			}
			if c.want == "" {
				return
			}
			want := c.law.Throughput(min(97, c.law.Peak()))
			if text := strings.Join(a[0].Evidence, "; "); math.Abs(a[0].Knee-want) > 0.1*want || !strings.Contains(text, "limited by "+c.want) {
				t.Errorf("the knee is at %.0f/s, not %v: %s", want, a[0].Knee, text)
			}
		})
	}
}
