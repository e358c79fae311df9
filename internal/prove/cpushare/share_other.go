//go:build !linux

package cpushare

import "fmt"

// Group is a control group with a quota; there are none here.
type Group struct{}

// New fails: only Linux has control groups.
func New(float64) (*Group, error) {
	return nil, fmt.Errorf("%w: only Linux has control groups", ErrUnavailable)
}

// Add fails, too.
func (*Group) Add(int) error { return ErrUnavailable }

// Hold fails, too.
func (*Group) Hold(bool) error { return ErrUnavailable }

// Throttled is nothing.
func (*Group) Throttled() Throttled { return Throttled{} }

// Close does nothing.
func (*Group) Close() error { return nil }
