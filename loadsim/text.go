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
	fmt.Fprintf(&b, "%s, scenario %s, %d users, %.1f s\n\n", s.Target, s.Scenario, s.Users, s.Duration)
	fmt.Fprintf(&b, "%d requests, %.1f/s, %.4f %% good, %d bad, %d orders\n\n", s.TotalRequests, s.Throughput, 100*s.SuccessRate, s.Failed, s.Orders)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "step\trequests\tavg\tp50\tp95\tp99\tmax\t")
	for _, step := range append(stepNames[:], "all") {
		l := r.ResponseTimes[step]
		if l.Count == 0 {
			continue
		}
		_, _ = fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t\n", step, l.Count, ms(l.Avg), ms(l.P50), ms(l.P95), ms(l.P99), ms(l.Max))
	}
	_ = t.Flush()
	if len(r.Refused) > 0 {
		b.WriteString("\nrefused as expected:")
		for _, status := range slices.Sorted(maps.Keys(r.Refused)) {
			fmt.Fprintf(&b, " %s: %d", status, r.Refused[status])
		}
		b.WriteString("\n")
	}
	if s.Replays > 0 {
		fmt.Fprintf(&b, "\nsent again after a broken connection: %d\n", s.Replays)
	}
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

// ms is a time in seconds, written for people.
func ms(s float64) string {
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
