package loadsim

import (
	"context"
	"time"
)

// refreshEvery is how often somebody who does not think looks whether the doors are open, at least half and at most one
// and a half of it.
const refreshEvery = time.Second

// waitForDoors looks at the hot product again and again until the doors open. Then everybody comes at once.
func (s *shopper) waitForDoors(ctx context.Context) {
	doors := s.started.Add(s.plan.DoorsOpen())
	for time.Now().Before(doors) && !s.done(ctx) {
		s.open(ctx, s.cat.hot)
		if s.plan.Think.IsZero() && !s.pace.scheduled() {
			s.pause(ctx, min(refreshEvery/2+time.Duration(s.rng.Int64N(int64(refreshEvery))), time.Until(doors)))
		}
	}
}
