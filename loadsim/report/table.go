package report

import (
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/stampede-shop/stampede/loadsim"
)

// columns of the table of steps.
var columns = []string{"step", "requests", "per second", "bad", "average", "p50", "p90", "p95", "p99", "p99.9", "slowest"}

// table has a row for each step that was asked for, and one for all.
func table(r *loadsim.Report) (rows [][]string) {
	bad := map[string]int64{"all": r.Summary.Failed}
	for _, p := range r.Series {
		for step, s := range p.Steps {
			bad[step] += s.Errors
		}
	}
	for _, step := range append(asked(r), "all") {
		l := r.ResponseTimes[step]
		row := []string{step, thousands(l.Count), count(float64(l.Count) / max(r.Summary.Duration, 1e-9)), thousands(bad[step])}
		for _, v := range []float64{l.Avg, l.P50, l.P90, l.P95, l.P99, l.P999, l.Max} {
			row = append(row, duration(v))
		}
		rows = append(rows, row)
	}
	return rows
}

const lineHeight = 19

func tableSize(r *loadsim.Report) (w, h vg.Length) {
	return 760, vg.Length(2*margin + 24 + lineHeight*(len(asked(r))+2))
}

func drawTable(r *loadsim.Report, c *canvas) {
	c.head()
	step := c.Size().X / vg.Length(len(columns))
	draws := func(y vg.Length, cells []string, s text.Style) {
		for i, cell := range cells {
			x, align := c.Min.X+vg.Length(i+1)*step, text.XRight
			if i == 0 {
				x, align = c.Min.X, text.XLeft
			}
			c.write(s, x, y, text.XAlignment(align), cell)
		}
		c.StrokeLine2(draw.LineStyle{Color: rule, Width: 0.75}, c.Min.X, y-lineHeight+4, c.Max.X, y-lineHeight+4)
	}
	y := c.Max.Y
	draws(y, columns, style(10, false, faint))
	for _, row := range table(r) {
		y -= lineHeight
		draws(y, row, style(10.5, row[0] == "all", ink))
	}
}
