package app

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/queue"
)

// queueGauges say what waits in front of each consumer, for the dashboard and for alerts.
type queueGauges struct {
	pending, dead *prometheus.GaugeVec
}

func newQueueGauges(reg prometheus.Registerer) (*queueGauges, error) {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "stampede_queue_" + name, Help: help}, []string{"consumer"})
	}
	g := &queueGauges{gauge("pending", "Messages not yet delivered to a consumer, or being handled."), gauge("dead", "Dead letters of a consumer.")}
	return g, errors.Join(reg.Register(g.pending), reg.Register(g.dead))
}

const lookAtQueues = 2 * time.Second

// watch looks every few seconds until ctx ends. A look that fails leaves the gauges as they were.
func (g *queueGauges) watch(ctx context.Context, s *stack) {
	tick := time.NewTicker(lookAtQueues)
	defer tick.Stop()
	for {
		look, cancel := context.WithTimeout(ctx, lookAtQueues)
		if st, err := queue.ReadStats(look, s.js); err == nil {
			for _, c := range st.Consumers {
				g.pending.WithLabelValues(c.Name).Set(float64(c.Pending) + float64(c.InFlight))
				g.dead.WithLabelValues(c.Name).Set(float64(c.Dead))
			}
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
