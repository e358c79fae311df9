package usl_test

import (
	"fmt"
	"testing"

	"github.com/stampede-shop/stampede/usl"
)

func Example() {
	fit, err := usl.Fit([]usl.Point{{N: 1, Throughput: 1000}, {N: 2, Throughput: 1959}, {N: 4, Throughput: 3752}, {N: 8, Throughput: 6849}}, usl.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("contention %.3f, coherency %.4f, efficiency of eight %.0f %%\n", fit.Sigma, fit.Kappa, 100*fit.Efficiency(8))
	n, ok := fit.Needed(10_000)
	fmt.Println(n, "for 10,000 a second:", ok)
	// Output:
	// contention 0.020, coherency 0.0005, efficiency of eight 86 %
	// 14 for 10,000 a second: true
}

func BenchmarkFit(b *testing.B) {
	points := []usl.Point{{N: 1, Throughput: 1000}, {N: 2, Throughput: 1959}, {N: 4, Throughput: 3752}, {N: 8, Throughput: 6849}}
	for b.Loop() {
		if _, err := usl.Fit(points, usl.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
