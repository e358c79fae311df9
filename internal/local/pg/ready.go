package pg

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrEnded is returned by WaitReady when the server process ends instead of answering.
var ErrEnded = errors.New("the server ended before it was ready")

// WaitReady returns when the server answers, when ended is closed (ErrEnded), or when ctx ends.
func (s *Server) WaitReady(ctx context.Context, ended <-chan struct{}) error {
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := s.Ping(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return ErrEnded
		case <-ctx.Done():
			return fmt.Errorf("%w; the last try said: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}
