package local

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	clusterLabel  = []string{"cluster"}
	syncDesc      = prometheus.NewDesc("stampede_failover_sync", "1 while every acknowledged commit is on a standby as well.", clusterLabel, nil)
	aloneDesc     = prometheus.NewDesc("stampede_failover_alone", "1 while the primary goes on without standbys: an alert.", clusterLabel, nil)
	standbysDesc  = prometheus.NewDesc("stampede_failover_standbys", "Standbys that follow the primary.", clusterLabel, nil)
	failoversDesc = prometheus.NewDesc("stampede_failovers_total", "Primaries that were replaced.", clusterLabel, nil)
)

var _ prometheus.Collector = (*Failover)(nil)

// Describe names the metrics.
func (f *Failover) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{syncDesc, aloneDesc, standbysDesc, failoversDesc} {
		ch <- d
	}
}

// Collect sends those of each cluster.
func (f *Failover) Collect(ch chan<- prometheus.Metric) {
	for _, s := range f.Status() {
		id := strconv.Itoa(s.Cluster)
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, id)
		}
		gauge(syncDesc, one(s.Sync))
		gauge(aloneDesc, one(!s.Alone.IsZero()))
		gauge(standbysDesc, float64(len(s.Standbys)))
		ch <- prometheus.MustNewConstMetric(failoversDesc, prometheus.CounterValue, float64(s.Failovers), id)
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
