package experiment

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"chart":  func(r *Report, what string) template.HTML { return template.HTML(chart(r, what)) }, //nolint:gosec // numbers and our own words
	"figure": Change.figure,
}).Parse(pageText))

// WriteHTML writes a page that needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error { return page.Execute(w, r) }

// Size of a chart, and of its margins.
const (
	width, height           = 900.0, 200.0
	left, right, top, below = 70.0, 10.0, 10.0, 25.0
)

// what a chart can show: its figure, and how it is written at the axis.
var charts = map[string]struct {
	of    func(Point) float64
	label func(float64) string
}{
	"errors": {func(p Point) float64 { return p.Errors }, func(v float64) string { return fmt.Sprintf("%.3g %%", 100*v) }},
	"p99":    {func(p Point) float64 { return p.P99 }, formatSeconds},
	"rate":   {func(p Point) float64 { return p.Rate }, func(v float64) string { return fmt.Sprintf("%.0f/s", v) }},
}

// chart draws both loads over time, with the faults behind them.
func chart(r *Report, what string) string {
	c := charts[what]
	most, end := 0.0, 1.0
	for _, s := range []Side{r.Without, r.With} {
		for _, p := range s.Series {
			most, end = math.Max(most, c.of(p)), math.Max(end, p.At)
		}
	}
	if most == 0 {
		most = 1e-3
	}
	x := func(t float64) float64 { return left + math.Min(math.Max(t/end, 0), 1)*(width-left-right) }
	y := func(v float64) float64 { return height - below - v/most*(height-top-below) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %.0f %.0f" role="img">`, width, height)
	for _, w := range r.Windows {
		fmt.Fprintf(&b, `<rect class="fault" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`,
			x(w.From), top, math.Max(x(w.To)-x(w.From), 1), height-top-below, template.HTMLEscapeString(w.Fault))
	}
	for i := range 3 {
		v := most * float64(i) / 2
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`,
			left, width-right, y(v), y(v), left-6, y(v)+4, c.label(v))
	}
	for i := range 5 {
		t := end * float64(i) / 4
		anchor := "middle"
		if i == 4 {
			anchor = "end"
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s">%.0f s</text>`, x(t), height-8, anchor, t)
	}
	for _, s := range r.sides() {
		var points []string
		for _, p := range s.Series {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(p.At), y(c.of(p))))
		}
		fmt.Fprintf(&b, `<polyline class="%s" points="%s"/>`, s.name, strings.Join(points, " "))
	}
	b.WriteString("</svg>")
	return b.String()
}
