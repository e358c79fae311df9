package prove

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// marks of outcomes on a terminal.
var marks = map[string]string{Holds: "holds", Fails: "FAILS", Skipped: "skipped"}

// Line is a verdict in one line, for progress.
func (v Verdict) Line() string {
	return fmt.Sprintf("%-7s %d. %s: %s (target %s)", marks[v.Outcome], v.Number, v.Name, v.Measured, v.Target)
}

// WriteText writes the table of verdicts for a terminal that is so many characters wide.
func (r *Report) WriteText(w io.Writer, width int) error {
	var b strings.Builder
	rows := [][]string{{"", "CRITERION", "TARGET", "MEASURED", "VERDICT"}}
	for _, v := range r.Verdicts {
		rows = append(rows, []string{fmt.Sprint(v.Number), v.Name, v.Target, v.Measured, marks[v.Outcome]})
	}
	table(&b, rows, max(width, 80))
	for _, v := range r.Verdicts {
		fmt.Fprintf(&b, "\n%d. %s: %s\n", v.Number, v.Name, marks[v.Outcome])
		paragraph(&b, "how     ", v.How, width)
		if v.Limits != "" {
			paragraph(&b, "limits  ", v.Limits, width)
		}
		for _, d := range v.Details {
			paragraph(&b, "        ", d, width)
		}
	}
	fmt.Fprintf(&b, "\n%s in %.0f s. %s\n", r.conclusion(), r.Took, r.PutBack)
	_, err := io.WriteString(w, b.String())
	return err
}

// conclusion is the outcome in a sentence.
func (r *Report) conclusion() string {
	n := map[string]int{}
	for _, v := range r.Verdicts {
		n[v.Outcome]++
	}
	text := fmt.Sprintf("%d of %d criteria hold", n[Holds], len(r.Verdicts))
	if n[Fails] > 0 {
		text += fmt.Sprintf(", %d fail", n[Fails])
	}
	if n[Skipped] > 0 {
		text += fmt.Sprintf(", %d skipped", n[Skipped])
	}
	return text
}

// table writes columns; the last but one gets what room is left, and is broken into lines.
func table(b *strings.Builder, rows [][]string, width int) {
	size := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			size[i] = max(size[i], min(utf8.RuneCountInString(cell), 30))
		}
	}
	room := width - 2*(len(size)-1)
	for i, n := range size {
		if i != 3 {
			room -= n
		}
	}
	size[3] = max(20, room)
	for _, row := range rows {
		cells := make([][]string, len(row))
		lines := 1
		for i, cell := range row {
			cells[i] = wrap(cell, size[i])
			lines = max(lines, len(cells[i]))
		}
		for l := range lines {
			var line strings.Builder
			for i := range cells {
				text := ""
				if l < len(cells[i]) {
					text = cells[i][l]
				}
				line.WriteString(text + strings.Repeat(" ", max(0, size[i]-utf8.RuneCountInString(text))+2))
			}
			b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		}
	}
}

// wrap breaks a text into lines of at most so many characters, between words.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

func paragraph(b *strings.Builder, head, text string, width int) {
	for i, line := range wrap(text, max(width, 80)-len(head)-3) {
		if i > 0 {
			head = strings.Repeat(" ", len(head))
		}
		b.WriteString("   " + head + line + "\n")
	}
}

// WriteText writes the plan for a terminal.
func (p *Planned) WriteText(w io.Writer, width int) error {
	var b strings.Builder
	t := p.Target
	fmt.Fprintf(&b, "%s orders and %s requests a minute, %.3g times as many at the peak, %d region(s); servers of %d cores and %.0f GiB, %s busy at the peak\n\n",
		thousands(t.Orders), thousands(t.Views), t.Peak, t.Regions, t.Cores, float64(t.Cores)*t.GiBPerCore, percent(t.Utilisation))
	rows := [][]string{{"SERVERS", "", "CORES EACH", "WHY", "MORE OF THEM"}}
	for _, part := range p.Parts {
		rows = append(rows, []string{fmt.Sprint(part.Servers), part.Name, fmt.Sprint(part.PerServer), part.Why, part.Scales})
	}
	table(&b, rows, max(width, 80))
	b.WriteString("\nlimits, in the order in which they are met\n")
	for _, l := range p.Limits {
		paragraph(&b, "- ", l, width)
	}
	m := p.Month
	fmt.Fprintf(&b, "\na month: %s %s (servers %s, egress %s, storage operations %s)", thousands(m.Total), p.Prices.Currency, thousands(m.Servers),
		thousands(m.Egress), thousands(m.IO))
	if p.Each > 0 {
		fmt.Fprintf(&b, "; %s %s an order", dollars(p.Each), p.Prices.Currency)
	}
	b.WriteString("\n\nhow good the figures are: predicted from them, and measured\n")
	for _, c := range p.Checks {
		paragraph(&b, "- ", c.String(), width)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
