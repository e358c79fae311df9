package report

import (
	"image/color"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/stampede-shop/stampede/loadsim"
)

// intervals are the points of the time series. The last one, if it is short, goes to the one before: a rate over a
// hundredth of a second is noise.
func intervals(r *loadsim.Report) []loadsim.Point {
	points := slices.Clone(r.Series)
	if n := len(points); n > 1 && points[n-1].Seconds < points[n-2].Seconds/2 {
		points[n-2] = points[n-2].Join(points[n-1])
		points = points[:n-1]
	}
	return points
}

// over makes a line of a value over time; each stands in the middle of its interval.
func over(points []loadsim.Point, value func(loadsim.Point) float64) plotter.XYs {
	xys := make(plotter.XYs, len(points))
	for i, p := range points {
		xys[i] = plotter.XY{X: p.Start + p.Seconds/2, Y: value(p)}
	}
	return xys
}

func rate(n int64, p loadsim.Point) float64 { return float64(n) / math.Max(p.Seconds, 1e-3) }

// timeline is a plot over the time of a run.
func timeline(points []loadsim.Point, y string) *plot.Plot {
	p := newPlot("", y)
	last := points[len(points)-1]
	p.X.Min, p.X.Max = 0, last.Start+last.Seconds
	p.X.Tick.Marker = even(8, duration)
	return p
}

func line(xys plotter.XYs, c color.Color, w vg.Length) *plotter.Line {
	return &plotter.Line{XYs: xys, LineStyle: draw.LineStyle{Color: c, Width: w}}
}

// area is a line that is filled down to zero.
func area(xys plotter.XYs, c color.NRGBA, alpha uint8) *plotter.Line {
	l := line(xys, c, 1.75)
	c.A = alpha
	l.FillColor = c
	return l
}

func drawThroughput(r *loadsim.Report, c *canvas) {
	points := intervals(r)
	if len(points) == 0 {
		c.nothing("Nothing was asked.")
		return
	}
	p := timeline(points, "requests/s")
	all := over(points, func(p loadsim.Point) float64 { return rate(p.Requests, p) })
	bad := over(points, func(p loadsim.Point) float64 { return rate(p.Errors, p) })
	legend := []entry{{"good", blue, false}}
	p.Add(grid(false), area(all, blue, 0x38))
	if r.Summary.Failed > 0 {
		legend = append(legend, entry{"bad", red, false})
		p.Add(area(bad, red, 0x90))
	}
	if r.Summary.Rate > 0 && r.Summary.Per == "request" {
		want := line(over(points, func(p loadsim.Point) float64 { return p.Level }), ink, 1.25)
		want.Dashes = dashes
		legend = append(legend, entry{"intended", ink, true})
		p.Add(want)
	}
	if places := over(points, func(p loadsim.Point) float64 { return rate(p.Places, p) }); r.WaitingRoom.Places > 0 {
		legend = append(legend, entry{"places in the waiting room", violet, false})
		p.Add(line(places, violet, 1.75))
	}
	p.Y.Min, p.Y.Max = 0, math.Max(1, p.Y.Max*1.08)
	p.Y.Tick.Marker = even(5, count)
	c.head(legend...)
	p.Draw(c.Canvas)
}

func drawLatency(r *loadsim.Report, c *canvas) {
	points := slices.DeleteFunc(intervals(r), func(p loadsim.Point) bool { return p.Requests == 0 })
	if len(points) == 0 {
		c.nothing("Nothing was answered.")
		return
	}
	p := timeline(points, "response time")
	p.Add(grid(false),
		line(over(points, func(p loadsim.Point) float64 { return atLeast(p.P99) }), red, 1.75),
		line(over(points, func(p loadsim.Point) float64 { return atLeast(p.P95) }), amber, 1.75),
		line(over(points, func(p loadsim.Point) float64 { return atLeast(p.P50) }), blue, 1.75))
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(timeTicks)
	p.Y.Min, p.Y.Max = p.Y.Min*0.8, p.Y.Max*1.3
	c.head(entry{"half", blue, false}, entry{"95 %", amber, false}, entry{"99 %", red, false})
	p.Draw(c.Canvas)
}

// atLeast keeps a time on a logarithmic axis.
func atLeast(s float64) float64 { return math.Max(s, 1e-6) }

func drawErrors(r *loadsim.Report, c *canvas) {
	points := intervals(r)
	if len(points) == 0 {
		c.nothing("Nothing was asked.")
		return
	}
	p := timeline(points, "bad answers")
	share := func(n int64, p loadsim.Point) float64 { return float64(n) / math.Max(float64(p.Requests), 1) }
	total := over(points, func(p loadsim.Point) float64 { return share(p.Errors, p) })
	legend := []entry{{"all", red, false}}
	kinds := slices.Collect(maps.Keys(r.Errors))
	slices.SortFunc(kinds, func(a, b string) int { return int(r.Errors[b].Count - r.Errors[a].Count) })
	switch len(kinds) {
	case 0:
		legend[0] = entry{"none in " + thousands(r.Summary.TotalRequests) + " requests", green, false}
	case 1:
		legend[0].name = kinds[0]
	}
	p.Add(grid(false), area(total, legend[0].colour, 0x30))
	if len(kinds) > 1 {
		for i, kind := range kinds[:min(len(kinds), 5)] {
			colour := palette[i%len(palette)]
			p.Add(line(over(points, func(p loadsim.Point) float64 { return share(p.Kinds[kind], p) }), colour, 1.5))
			legend = append(legend, entry{kind, colour, false})
		}
	}
	p.Y.Min, p.Y.Max = 0, math.Min(1, math.Max(0.01, p.Y.Max*1.15))
	p.Y.Tick.Marker = even(5, func(v float64) string { return count(math.Round(1e4*v)/100) + " %" })
	c.head(legend...)
	p.Draw(c.Canvas)
}
