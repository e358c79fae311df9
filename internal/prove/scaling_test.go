package prove

import (
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/usl"
)

// What decides stands first: a best fit above the target does not read like a pass when its interval reaches below.
func TestScalingSaysWhatDecides(t *testing.T) {
	t.Parallel()
	s := Scaling{Efficiency: 0.927, Fit: &usl.Result{R2: 0.99}, Between: &usl.Interval{Low: 0.268, High: 1}, Runs: []ScalingRun{{N: 1, Used: 1}}}
	if got := s.measured(); !strings.HasPrefix(got, "≥ 26 % for certain") || !strings.Contains(got, "best fit 92.7") {
		t.Error(got)
	}
	if list := s.doubts(); len(list) != 1 || !strings.Contains(list[0], "lower end") {
		t.Errorf("%q", list)
	}
	s.Between.Low = 0.86
	if list := s.doubts(); len(list) != 0 {
		t.Errorf("above the target, and yet %q", list)
	}
	s.Between = nil
	if got := s.measured(); !strings.Contains(got, "nothing certain") || len(s.doubts()) != 1 {
		t.Error(got, s.doubts())
	}
}
