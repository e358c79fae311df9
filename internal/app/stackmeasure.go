package app

import (
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/httpapi"
	"github.com/stampede-shop/stampede/telemetry"
)

// measure has databases and caches tell m of what they do.
func (s *stack) measure(m *roleops.Measuring) {
	if s.cfg.Telemetry.Enabled {
		s.db.queries.Observe(m.Queried)
		s.measured.Store(m)
	}
}

// askedCache is what the caches call for each exchange with Redis and each load.
func (s *stack) askedCache(family string, by cache.Source, took time.Duration, failed bool) {
	if m := s.measured.Load(); m != nil && !m.Paused() {
		m.Set.Series(telemetry.KindFamily, family+" "+by.String()).Record(took, failed)
		if by == cache.L2 {
			m.Set.Series(telemetry.KindLink, "redis").Record(took, failed)
		}
	}
}

// answered is what is to be told of requests; nil for nobody.
func (s *stack) answered(m *roleops.Measuring) func(httpapi.Answered) {
	if !s.cfg.Telemetry.Enabled {
		return nil
	}
	return m.ApiAnswered()
}
