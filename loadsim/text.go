package loadsim

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteText writes the report as a table for people.
func (r *Report) WriteText(w io.Writer) error {
	_, err := io.WriteString(w, r.text())
	return err
}

func (r *Report) text() string {
	var b strings.Builder
	s := r.Summary
	fmt.Fprintf(&b, "%s, scenario %s, %s, %.1f s\n\n", s.Target, s.Scenario, s.Load(), s.Duration)
	for _, why := range s.Invalid {
		fmt.Fprintf(&b, "NOT VALID: %s\n\n", why)
	}
	fmt.Fprintf(&b, "%d requests, %.1f/s, %.4f %% good, %d bad, %d orders\n\n", s.TotalRequests, s.Throughput, 100*s.SuccessRate, s.Failed, s.Orders)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "step\trequests\tavg\tp50\tp95\tp99\tmax\t")
	for _, step := range append(Steps(), allSteps) {
		l := r.ResponseTimes[step]
		if l.Count == 0 {
			continue
		}
		_, _ = fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t\n", step, l.Count, FormatSeconds(l.Avg), FormatSeconds(l.P50), FormatSeconds(l.P95), FormatSeconds(l.P99), FormatSeconds(l.Max))
	}
	_ = t.Flush()
	r.asides(&b)
	if len(r.Errors) > 0 {
		b.WriteString("\nbad answers:\n")
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(&b, "  %s: %d\n", kind, r.Errors[kind].Count)
		for _, sample := range r.Errors[kind].Samples {
			fmt.Fprintf(&b, "    %s\n", strings.ReplaceAll(sample, "\n", " "))
		}
	}
	return b.String()
}

// asides are what is neither good nor bad, if there was any.
func (r *Report) asides(b *strings.Builder) {
	s := r.Summary
	list := func(title string, counts map[string]int64) {
		if len(counts) == 0 {
			return
		}
		b.WriteString("\n" + title)
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(b, " %s: %d", name, counts[name])
		}
		b.WriteString("\n")
	}
	list("refused as expected:", r.Refused)
	list("left early:", s.Abandoned)
	if q := r.WaitingRoom; q.Places > 0 {
		fmt.Fprintf(b, "\nwaiting room: %d answers were a place in it, %d shoppers let in after %s (p50), %s at most\n", q.Places, q.Admitted, FormatSeconds(q.Waits.P50), FormatSeconds(q.Waits.Max))
	}
	if s.Retries > 0 {
		fmt.Fprintf(b, "\ncame back when told to: %d\n", s.Retries)
	}
	if s.Replays > 0 {
		fmt.Fprintf(b, "\nsent again after a broken connection: %d\n", s.Replays)
	}
	g := r.Generator
	fmt.Fprintf(b, "\ngenerator: %d shoppers at most, late by %s (p99)", g.PeakUsers, FormatSeconds(g.Lag.P99))
	if s.TotalRequests > 0 && g.CPU > 0 {
		fmt.Fprintf(b, ", %.0f µs of CPU a request", 1e6*g.CPU/float64(s.TotalRequests))
	}
	b.WriteString("\n")
}

// Load is the load in words.
func (s Summary) Load() string {
	if s.Rate > 0 {
		return fmt.Sprintf("%g %ss/s arriving", s.Rate, s.Per)
	}
	return fmt.Sprintf("%d users", s.Users)
}

// FormatSeconds writes a time in seconds for people.
func FormatSeconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", s*1e3)
	case d < 10*time.Second:
		return fmt.Sprintf("%.0f ms", s*1e3)
	default:
		return fmt.Sprintf("%.1f s", s)
	}
}
