package warm

import (
	"context"
	"errors"
	"time"
)

// Campaign is a moment from which on certain keys will be asked for.
type Campaign struct {
	Name  string
	Start time.Time
	// Before is how long before Start its keys are brought in first. Default 10 min.
	Before time.Duration
	// Again is how often they are brought in until then, so that what has expired or changed meanwhile is there at Start; what is still
	// there costs next to nothing. Default 45 s.
	Again time.Duration
	// Keys names them, those that matter most first. It is asked each time.
	Keys func(ctx context.Context) ([]string, error)
}

// clockCheck is how long the clock is trusted to go on evenly.
const clockCheck = time.Minute

// Follow warms before campaigns, in the background. One whose time has come already is warmed at once, one that has begun not
// at all. ErrClosed when it is too late.
func (w *Warmer) Follow(list ...Campaign) error {
	for _, c := range list {
		def(&c.Before, 10*time.Minute)
		def(&c.Again, 45*time.Second)
		if !w.enter() {
			return ErrClosed
		}
		go func() {
			defer w.bg.Done()
			w.follow(c)
		}()
	}
	return nil
}

func (w *Warmer) follow(c Campaign) {
	for next := c.Start.Add(-c.Before); time.Now().Before(c.Start); {
		if wait := time.Until(next); wait > 0 {
			if sleep(w.ctx, min(wait, clockCheck)) != nil {
				return
			}
			continue
		}
		next = time.Now().Add(c.Again)
		if err := w.beforeCampaign(c); errors.Is(err, ErrClosed) {
			return
		} else if err != nil {
			w.o.Log.Warn("warming before a campaign did not end well; it is repeated", "campaign", c.Name, "error", err)
		}
	}
}

func (w *Warmer) beforeCampaign(c Campaign) error {
	ctx, cancel := context.WithDeadlineCause(w.ctx, c.Start, errBegun)
	defer cancel()
	keys, err := c.Keys(ctx)
	if err != nil || len(keys) == 0 {
		return err
	}
	_, err = w.Run(ctx, Request{Reason: "campaign " + c.Name, Keys: keys, Only: true})
	if errors.Is(err, errBegun) {
		return nil
	}
	return err
}

var errBegun = errors.New("warm: the campaign has begun")
