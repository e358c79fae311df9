package tui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
)

// Lines writes a line about every so often; to be called with each second's snapshot.
func Lines(w io.Writer, every time.Duration) func(loadsim.Snapshot) {
	var next time.Duration
	return func(s loadsim.Snapshot) {
		if s.Elapsed < next {
			return
		}
		next = s.Elapsed.Truncate(every) + every
		_, _ = fmt.Fprintln(w, Line(s))
	}
}

// Line is a run in one line.
func Line(s loadsim.Snapshot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%4.0f s  %d requests, %d bad, %d orders", s.Elapsed.Seconds(), s.Requests, s.Errors, s.Orders)
	if s.Places > 0 {
		fmt.Fprintf(&b, ", %d told to wait", s.Places)
	}
	fmt.Fprintf(&b, "; now %.0f/s, p95 %s, %d shoppers", perSecond(s.Last.Requests, s.Last.Seconds), loadsim.FormatSeconds(s.Last.P95), s.Users)
	if s.Lag > 0.010 {
		fmt.Fprintf(&b, "; generator late by %s", loadsim.FormatSeconds(s.Lag))
	}
	return b.String()
}

func perSecond(n int64, seconds float64) float64 { return float64(n) / max(seconds, 1e-3) }
