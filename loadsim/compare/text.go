package compare

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/stampede-shop/stampede/loadsim"
)

// WriteText writes the comparison as a table for people.
func (r *Result) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, warning := range r.Warnings {
		fmt.Fprintf(&b, "WARNING: %s\n", warning)
	}
	if len(r.Warnings) > 0 {
		b.WriteByte('\n')
	}
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(t, "\tA\tB\tchange\t%g %% interval\t\n", 100*r.Confidence)
	for _, m := range r.Metrics {
		name := m.Name
		if m.Step != "" {
			name += "(" + m.Step + ")"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s to %s\t  %s\n", name, m.value(m.A), m.value(m.B), m.share(m.Change), m.share(m.Low), m.share(m.High), m.Verdict)
	}
	_ = t.Flush()
	fmt.Fprintf(&b, "\n%d and %d slices of time; %s.\nOf %d such intervals, about %.0f are off by chance.\n", r.SlicesA, r.SlicesB, r.Method, len(r.Metrics), float64(len(r.Metrics))*(1-r.Confidence))
	_, err := io.WriteString(w, b.String())
	return err
}

func (m Metric) value(v float64) string {
	switch m.Name {
	case throughput:
		return fmt.Sprintf("%.1f/s", v)
	case "error_rate":
		return fmt.Sprintf("%.4f %%", 100*v)
	default:
		return loadsim.FormatSeconds(v)
	}
}

func (m Metric) share(v float64) string {
	if m.Name == "error_rate" {
		return fmt.Sprintf("%+.4f points", 100*v)
	}
	return fmt.Sprintf("%+.1f %%", 100*v)
}
