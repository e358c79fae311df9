package report

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/stampede-shop/stampede/loadsim"
)

// asked are the steps that requests were made for.
func asked(r *loadsim.Report) (steps []string) {
	for _, step := range loadsim.Steps() {
		if r.ResponseTimes[step].Count > 0 {
			steps = append(steps, step)
		}
	}
	return steps
}

// bars are groups of three: p50, p95, p99 of each step.
type bars struct {
	steps []string
	times map[string]loadsim.Latency
}

var barColours = []color.NRGBA{sky, blue, ink}

func (b bars) values(step string) []float64 {
	l := b.times[step]
	return []float64{l.P50, l.P95, l.P99}
}

// Plot draws them, and then what they say.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	each := func(do func(j int, v float64, x0, x1, y vg.Length)) {
		for i, step := range b.steps {
			for j, v := range b.values(step) {
				left := float64(i) + 0.14 + 0.24*float64(j)
				do(j, v, c.X(p.X.Norm(left)), c.X(p.X.Norm(left+0.22)), c.Y(p.Y.Norm(v)))
			}
		}
	}
	each(func(j int, _ float64, x0, x1, y vg.Length) {
		c.FillPolygon(barColours[j], []vg.Point{{X: x0, Y: c.Min.Y}, {X: x1, Y: c.Min.Y}, {X: x1, Y: y}, {X: x0, Y: y}})
	})
	each(func(_ int, v float64, x0, x1, y vg.Length) {
		s := style(min(9.5, float64(x1-x0)*0.29), false, ink) // so that neighbours do not meet
		s.XAlign, s.YAlign = text.XCenter, text.YBottom
		c.FillText(s, vg.Point{X: (x0 + x1) / 2, Y: y + 3}, rough(v))
	})
}

func drawPercentiles(r *loadsim.Report, c *canvas) {
	b := bars{asked(r), r.ResponseTimes}
	if len(b.steps) == 0 {
		c.nothing("Nothing was answered.")
		return
	}
	p := newPlot("", "response time")
	p.X.Min, p.X.Max, p.Y.Min = 0, float64(len(b.steps)), 0
	var names []plot.Tick
	for i, step := range b.steps {
		names = append(names, plot.Tick{Value: float64(i) + 0.5, Label: step})
		for _, v := range b.values(step) {
			p.Y.Max = max(p.Y.Max, v*1.12)
		}
	}
	p.X.Tick.Marker = plot.ConstantTicks(names)
	p.X.Tick.Length = 0
	p.X.Tick.Label.Font = sans(11, false)
	p.Y.Tick.Marker = even(5, duration)
	p.Add(grid(false), b)
	c.head(entry{"half", barColours[0], false}, entry{"95 %", barColours[1], false}, entry{"99 %", barColours[2], false})
	p.Draw(c.Canvas)
}
