package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Range is a whole number between two, each as likely.
type Range struct{ Min, Max int }

// Times is a range of one number.
func Times(n int) Range { return Range{n, n} }

// UnmarshalYAML reads 20 or 3-8.
func (r *Range) UnmarshalYAML(n *yaml.Node) error {
	low, high, isRange := strings.Cut(n.Value, "-")
	if !isRange {
		high = low
	}
	var err error
	if r.Min, err = strconv.Atoi(strings.TrimSpace(low)); err == nil {
		r.Max, err = strconv.Atoi(strings.TrimSpace(high))
	}
	if err != nil {
		return fmt.Errorf("line %d: %q is no number and no range like 3-8", n.Line, n.Value)
	}
	return nil
}

// UnmarshalYAML reads 2s or 1s-3s.
func (s *Span) UnmarshalYAML(n *yaml.Node) error {
	low, high, isRange := strings.Cut(n.Value, "-")
	if !isRange {
		high = low
	}
	var err error
	if s.Min, err = time.ParseDuration(strings.TrimSpace(low)); err == nil {
		s.Max, err = time.ParseDuration(strings.TrimSpace(high))
	}
	if err != nil {
		return fmt.Errorf("line %d: %q is no time like 2s or 1s-3s", n.Line, n.Value)
	}
	return nil
}

// Share is a part of a whole, 0 to 1.
type Share float64

// UnmarshalYAML reads 0.3 or 30%.
func (s *Share) UnmarshalYAML(n *yaml.Node) error {
	text, percent := strings.CutSuffix(strings.TrimSpace(n.Value), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(v >= 0) {
		return fmt.Errorf("line %d: %q is no share like 0.3 or 30%%", n.Line, n.Value)
	}
	if percent {
		v /= 100
	}
	*s = Share(v)
	return nil
}
