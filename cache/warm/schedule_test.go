package warm_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
)

// A campaign's keys are there before it starts, again and again until then, and not after.
func TestCampaign(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		w := open(t, warm.Options{}, s)
		start := time.Now().Add(3 * time.Hour)
		asked := 0
		err := w.Follow(warm.Campaign{Name: "sale", Start: start, Before: 10 * time.Minute, Again: time.Minute,
			Keys: func(context.Context) ([]string, error) {
				if asked++; asked == 3 {
					return nil, errors.New("the catalogue is away")
				}
				return []string{"a", "b"}, nil
			}}, warm.Campaign{Name: "gone", Start: time.Now().Add(-time.Second), Keys: func(context.Context) ([]string, error) {
			t.Error("a campaign that has begun is warmed")
			return nil, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3*time.Hour - 11*time.Minute)
		if len(s.has()) != 0 {
			t.Error("warmed too early")
		}
		time.Sleep(2 * time.Minute)
		if !slices.Equal(s.has(), []string{"a", "b"}) || w.Progress().Reason != "campaign sale" {
			t.Errorf("%v, %+v", s.has(), w.Progress())
		}
		s.mu.Lock()
		clear(s.held) // everything expires
		s.mu.Unlock()
		time.Sleep(9*time.Minute - time.Millisecond)
		if len(s.has()) != 2 || asked != 10 {
			t.Errorf("at its start %v are there, asked for %d times", s.has(), asked)
		}
		time.Sleep(time.Hour)
		if asked > 10 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// A process that starts shortly before a campaign warms at once, and stops when it begins; closing ends the wait.
func TestCampaignLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		w := open(t, warm.Options{}, s)
		keys := func(context.Context) ([]string, error) { return numbered(1000), nil }
		if err := w.Follow(warm.Campaign{Name: "soon", Start: time.Now().Add(2 * time.Second), Keys: keys},
			warm.Campaign{Name: "far", Start: time.Now().Add(1000 * time.Hour), Keys: keys}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		n := len(s.has())
		if p := w.Progress(); n == 0 || n == 1000 || p.State != warm.Cancelled {
			t.Errorf("%d, %+v", n, p)
		}
		time.Sleep(time.Minute)
		if len(s.has()) != n {
			t.Error("it went on after the start")
		}
	})
}
