package prove

import (
	"fmt"
	"io"
	"strings"
)

// Shop is one that docs/scale.md works through.
type Shop struct {
	Name   string
	Target Target
}

// Shops are a small one, a national one, and the largest publicly reported peak, of 489 million requests a minute at the edge; the
// orders that go with that are our assumption.
func Shops() []Shop {
	const hot = 0.2
	return []Shop{
		{"small", Target{Orders: 10, Views: 1000, Peak: 5, Regions: 1, Hot: hot}},
		{"national", Target{Orders: 2000, Views: 300_000, Peak: 8, Regions: 2, Hot: hot}},
		{"largest", Target{Orders: 6250, Views: 61_125_000, Peak: 8, Regions: 12, Hot: hot}},
	}
}

// WriteShops plans the shops with what was measured and writes tables in Markdown: what each takes, where its limits are, and how good
// the figures are.
func (r *Report) WriteShops(w io.Writer, p Prices) error {
	if r.Costs == nil {
		return fmt.Errorf("%w: the report has no costs; they need a platform on this machine, and all criteria", ErrTarget)
	}
	var plans []*Planned
	var heads []string
	for _, s := range Shops() {
		plan, err := Plan(*r.Costs, s.Target, p)
		if err != nil {
			return err
		}
		plans, heads = append(plans, plan), append(heads, s.Name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Reckoned from the proof of %s (%.0f s, version %s) on %s.\n\n", r.Started.Format("2006-01-02 15:04 UTC"), r.Took, r.Version, r.Machine)
	row := func(name string, cell func(*Planned) string) {
		b.WriteString("| " + name)
		for _, plan := range plans {
			b.WriteString(" | " + cell(plan))
		}
		b.WriteString(" |\n")
	}
	b.WriteString("| | " + strings.Join(heads, " | ") + " |\n|" + strings.Repeat(" --- |", len(heads)+1) + "\n")
	row("orders a minute, on average", func(p *Planned) string { return thousands(p.Target.Orders) })
	row("requests at the edge a minute, on average", func(p *Planned) string { return thousands(p.Target.Views) })
	row("peak", func(p *Planned) string {
		t := p.Target
		return fmt.Sprintf("%.3g times: %s requests and %s orders a minute", t.Peak, thousands(t.Views*t.Peak), thousands(t.Orders*t.Peak))
	})
	row("regions", func(p *Planned) string { return fmt.Sprint(p.Target.Regions) })
	row("command", func(p *Planned) string {
		t := p.Target
		return fmt.Sprintf("`--orders %.0f --views %.0f --peak %.0f --regions %d`", t.Orders, t.Views, t.Peak, t.Regions)
	})
	for i, part := range plans[0].Parts {
		row(part.Name+" (cores busy at the peak)", func(p *Planned) string { return fmt.Sprintf("%d (%s)", p.Parts[i].Servers, few(p.Parts[i].Cores)) })
	}
	row("first limits", func(p *Planned) string { return strings.Join(p.Limits[:min(3, len(p.Limits))], "<br>") })
	row("a month: servers / egress / storage operations", func(p *Planned) string {
		return fmt.Sprintf("%s / %s / %s %s", thousands(p.Month.Servers), thousands(p.Month.Egress), thousands(p.Month.IO), p.Prices.Currency)
	})
	b.WriteString("\nHow good these figures are: predicted from them, and measured.\n\n| figure that was not fitted | predicted | measured | off |\n| --- | --- | --- | --- |\n")
	for _, c := range r.Costs.Checks {
		fmt.Fprintf(&b, "| %s | %.4g | %.4g | %+.0f %% |\n", c.What, c.Predicted, c.Measured, 100*c.Off())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// few shows a number with two digits at least, and no more after the point than that takes.
func few(v float64) string {
	if v >= 10 {
		return thousands(v)
	}
	return fmt.Sprintf("%.2g", v)
}
