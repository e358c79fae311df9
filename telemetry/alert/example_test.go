package alert_test

import (
	"fmt"
	"time"

	"github.com/stampede-shop/stampede/telemetry/alert"
)

func Example() {
	e, err := alert.New(alert.Options{
		Rules: []alert.Rule{{Name: "replica-lag", Severity: alert.Ticket, Group: "data", For: 15 * time.Second,
			When: alert.Threshold{Sample: "replica.lag_s.max", Is: alert.Above, Limit: 5, Clear: 2}}},
		GroupWait: -1,
		Notify:    func(n alert.Notification) { fmt.Println(n.At.Format(time.TimeOnly), n.Subject()) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	for i := range 120 {
		lag := 0.1
		if i >= 10 && i < 60 {
			lag = 30
		}
		e.Observe(now.Add(time.Duration(i)*time.Second), map[string]float64{"replica.lag_s.max": lag})
	}
	// Output:
	// 09:00:25 [data] firing: replica-lag
	// 09:01:25 [data] resolved: replica-lag
}
