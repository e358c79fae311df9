package report

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/internal/buckets"
)

// perRow is how many buckets are drawn as one: a quarter of a doubling.
const perRow = 4

// totals are the response times of the whole run, by step.
func totals(r *loadsim.Report) map[string]buckets.Sparse {
	sum := map[string]buckets.Sparse{}
	for _, p := range r.Series {
		for step, s := range p.Steps {
			sum[step] = buckets.Merge(sum[step], s.Times)
		}
	}
	return sum
}

// span is the range of rows that times take up.
func span(times buckets.Sparse) (first, last int) {
	if len(times) == 0 {
		return 0, 0
	}
	return times[0].Index / perRow, times[len(times)-1].Index / perRow
}

// rowBounds are the times that a row stands for; the lowest is kept off zero, for a logarithmic axis.
func rowBounds(row int) (low, high float64) {
	low, _ = buckets.Bounds(row * perRow)
	_, high = buckets.Bounds(row*perRow + perRow - 1)
	return math.Max(low, 5e-7), high
}

func drawDistribution(r *loadsim.Report, c *canvas) {
	sum := totals(r)
	var all buckets.Sparse
	for _, times := range sum {
		all = buckets.Merge(all, times)
	}
	if len(all) == 0 {
		c.nothing("Nothing was answered.")
		return
	}
	first, last := span(all)
	p := newPlot("response time", "share of the step's answers")
	p.Add(grid(true))
	var legend []entry
	for _, step := range loadsim.Steps() {
		if n := sum[step].Count(); n > 0 {
			p.Add(area(outline(sum[step], first, last), stepColour(step), 0x28))
			legend = append(legend, entry{step, stepColour(step), false})
		}
	}
	p.X.Min, _ = rowBounds(first)
	_, p.X.Max = rowBounds(last)
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(timeTicks)
	p.Y.Min, p.Y.Max = 0, p.Y.Max*1.22
	p.Y.Tick.Marker = even(5, func(v float64) string { return count(math.Round(1e4*v)/100) + " %" })
	l := r.ResponseTimes["all"]
	p.Add(marker{l.P50, "p50", 0}, marker{l.P95, "p95", 1}, marker{l.P99, "p99", 2})
	c.head(legend...)
	p.Draw(c.Canvas)
}

// outline is a histogram's upper edge, each row as a share of all: of a quarter of a doubling, since rows are not quite
// equally wide.
func outline(times buckets.Sparse, first, last int) (xys plotter.XYs) {
	rows := make([]float64, last-first+1)
	n := float64(times.Count())
	for _, b := range times {
		rows[b.Index/perRow-first] += float64(b.N) / n
	}
	for i, share := range rows {
		low, high := rowBounds(first + i)
		share *= math.Ln2 / perRow / math.Log(high/low)
		xys = append(xys, plotter.XY{X: low, Y: share}, plotter.XY{X: high, Y: share})
	}
	return xys
}

// marker is a vertical line with a name, so many lines below the top.
type marker struct {
	at    float64
	name  string
	below int
}

// Plot draws it.
func (m marker) Plot(c draw.Canvas, p *plot.Plot) {
	if m.at < p.X.Min || m.at > p.X.Max {
		return
	}
	x := c.X(p.X.Norm(m.at))
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1, Dashes: dashes}, x, c.Min.Y, x, c.Max.Y)
	s := style(10, false, ink)
	s.YAlign, s.XAlign = text.YTop, text.XLeft
	words, dx := m.name+" "+duration(m.at), vg.Length(4)
	if x > c.Max.X-70 {
		s.XAlign, dx = text.XRight, -4
	}
	at := vg.Point{X: x + dx, Y: c.Max.Y - vg.Length(13*m.below)}
	box := s.Rectangle(words).Add(at)
	c.FillPolygon(color.White, []vg.Point{box.Min, {X: box.Max.X, Y: box.Min.Y}, box.Max, {X: box.Min.X, Y: box.Max.Y}})
	c.FillText(s, at, words)
}
