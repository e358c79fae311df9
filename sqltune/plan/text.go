package plan

import (
	"fmt"
	"io"
	"strings"
)

// WriteTree writes the plan as a tree, one line a node: its own share and time, rows and what was expected, and what mark says of it
// (mark may be nil).
func (p *Plan) WriteTree(w io.Writer, mark func(*Node) string) error {
	t := &tree{plan: p, mark: mark}
	t.write(p.Root, "", "")
	_, err := io.WriteString(w, t.b.String())
	return err
}

type tree struct {
	plan *Plan
	mark func(*Node) string
	b    strings.Builder
}

func (t *tree) write(n *Node, head, rest string) {
	fmt.Fprintf(&t.b, "%5.1f%% %s%s  %s", 100*n.Share, head, n.Label(), t.figures(n))
	if t.mark != nil {
		if m := t.mark(n); m != "" {
			t.b.WriteString("  ◀ " + m)
		}
	}
	t.b.WriteByte('\n')
	under := rest + "  "
	if len(n.Children) > 0 {
		under = rest + "│ "
	}
	for _, c := range t.conditions(n) {
		fmt.Fprintf(&t.b, "       %s  %s\n", under, c)
	}
	for i, c := range n.Children {
		if i == len(n.Children)-1 {
			t.write(c, rest+"└─ ", rest+"   ")
		} else {
			t.write(c, rest+"├─ ", rest+"│  ")
		}
	}
}

func (t *tree) figures(n *Node) string {
	switch {
	case n.Never():
		return "never executed"
	case !n.Analyzed:
		return fmt.Sprintf("%s rows expected, cost %s", Count(n.PlanRows), Count(n.TotalCost))
	}
	s := fmt.Sprintf("%s rows, %s expected", Count(n.Rows()), Count(n.PlanRows*max(1, n.Loops)))
	if t.plan.Timed {
		s = Millis(n.Self) + ", " + s
	}
	if n.Loops > 1 {
		s += fmt.Sprintf(", %s loops", Count(n.Loops))
	}
	if n.RemovedFilter > 0 {
		s += fmt.Sprintf(", %s filtered out", Count(n.RemovedFilter*n.Loops))
	}
	return s
}

func (t *tree) conditions(n *Node) (out []string) {
	for _, c := range []struct{ name, text string }{{"index", n.IndexCond}, {"filter", n.Filter}, {"join filter", n.JoinFilter},
		{"hash", n.HashCond}, {"merge", n.MergeCond}, {"sort by", strings.Join(n.SortKey, ", ")}} {
		if c.text != "" {
			out = append(out, c.name+": "+cut(c.text, 160))
		}
	}
	return out
}

func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// Count is a number for people: 12,345.
func Count(x float64) string {
	if x > 0 && x < 10 && x != float64(int64(x)) {
		return fmt.Sprintf("%.1f", x)
	}
	s := fmt.Sprintf("%.0f", x)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Millis is a time for people.
func Millis(ms float64) string {
	switch {
	case ms >= 10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 100:
		return Count(ms) + " ms"
	case ms >= 1:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.3f ms", ms)
}
