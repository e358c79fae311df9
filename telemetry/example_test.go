package telemetry_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/stampede-shop/stampede/telemetry"
)

// Two processes measure; a third adds up what they export.
func Example() {
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	o := telemetry.Options{Now: func() time.Time { return now }}
	one, two := telemetry.NewSet(o), telemetry.NewSet(o)
	for i := range 100 {
		one.Series(telemetry.KindRoute, "GET /cart").RecordStatus(time.Duration(i+1)*time.Millisecond, 200)
		two.Series(telemetry.KindRoute, "GET /cart").RecordStatus(time.Second, 503)
	}
	now = now.Add(10 * time.Second)

	raw, _ := json.Marshal(two.Export()) // over the network
	var other telemetry.Export
	_ = json.Unmarshal(raw, &other)

	w := telemetry.Merge(one.Export(), other).Find(telemetry.KindRoute, "GET /cart").Window("10s")
	fmt.Printf("%d requests, %g a second, %d of them bad, p50 %.2f s, p95 %.1f s\n", w.Count, w.Rate, w.Errors, w.P50, w.P95)
	// Output: 200 requests, 20 a second, 100 of them bad, p50 0.10 s, p95 1.0 s
}
