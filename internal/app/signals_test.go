package app

import (
	"fmt"
	"testing"

	"github.com/stampede-shop/stampede/internal/dashboard"
)

// TestBusMembersAreNotSummed: eight processes of which each hears of seven others are eight; four of them are half as many, not a fifth.
func TestBusMembersAreNotSummed(t *testing.T) {
	t.Parallel()
	hearing := func(processes, others int) measuredNow {
		in := measuredNow{families: map[string][]dashboard.Family{}, busy: -1}
		for i := range processes {
			in.families[fmt.Sprint("api-", i)] = []dashboard.Family{{Name: "queue_bus_members", Labels: []string{"subject"},
				Series: []dashboard.Series{{Labels: []string{"cache"}, Value: float64(others)}, {Labels: []string{"edges"}, Value: 1}}}}
		}
		return in
	}
	var m signalMeter
	for _, c := range []struct{ processes, others int }{{8, 7}, {4, 3}, {4, 0}} {
		s, _ := m.sample(hearing(c.processes, c.others))
		if got, want := s.Values["bus.members"], float64(max(c.others, 1)); got != want {
			t.Errorf("%d processes that hear of %d others: bus.members is %v, want %v", c.processes, c.others, got, want)
		}
	}
}
