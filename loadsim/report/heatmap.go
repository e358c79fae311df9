package report

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/internal/buckets"
)

// maxColumns of a heat map; more intervals than that are joined.
const maxColumns = 160

// heat is how many answers took how long, when.
type heat struct {
	points []loadsim.Point
	least  float64 // answers a second in one field
	most   float64
}

func newHeat(points []loadsim.Point) heat {
	for len(points) > maxColumns {
		var joined []loadsim.Point
		for i := 0; i < len(points); i += 2 {
			p := points[i]
			if i+1 < len(points) {
				p = p.Join(points[i+1])
			}
			joined = append(joined, p)
		}
		points = joined
	}
	h := heat{points: points, least: math.Inf(1)}
	for _, p := range points {
		for _, n := range rows(p.All()) {
			h.least, h.most = math.Min(h.least, rate(n, p)), math.Max(h.most, rate(n, p))
		}
	}
	h.least = math.Max(h.least, h.most/1000)
	return h
}

// rows joins buckets to what is drawn as one field.
func rows(times buckets.Sparse) map[int]int64 {
	sum := map[int]int64{}
	for _, b := range times {
		sum[b.Index/perRow] += b.N
	}
	return sum
}

// Plot draws it.
func (h heat) Plot(c draw.Canvas, p *plot.Plot) {
	for _, point := range h.points {
		x0, x1 := c.X(p.X.Norm(point.Start)), c.X(p.X.Norm(point.Start+point.Seconds))
		for row, n := range rows(point.All()) {
			low, high := rowBounds(row)
			y0, y1 := c.Y(p.Y.Norm(math.Max(low, p.Y.Min))), c.Y(p.Y.Norm(math.Min(high, p.Y.Max)))
			// half a point more on each side, so that no seams show
			c.FillPolygon(h.shade(rate(n, point)), []vg.Point{{X: x0 - 0.25, Y: y0 - 0.25}, {X: x1 + 0.25, Y: y0 - 0.25}, {X: x1 + 0.25, Y: y1 + 0.25}, {X: x0 - 0.25, Y: y1 + 0.25}})
		}
	}
}

// shades of a heat map, from few to many.
var shades = []color.NRGBA{{0xdb, 0xea, 0xfe, 0xff}, {0x93, 0xc5, 0xfd, 0xff}, {0x3b, 0x82, 0xf6, 0xff}, {0x7c, 0x3a, 0xed, 0xff}, {0xbe, 0x18, 0x5d, 0xff}, {0x7f, 0x1d, 0x1d, 0xff}}

// shade of a field, on a logarithmic scale over up to three powers of ten: rare slow answers are to be seen, too.
func (h heat) shade(rate float64) color.NRGBA {
	at := 1.0
	if h.most > h.least {
		at = math.Max(0, math.Log(rate/h.least)/math.Log(h.most/h.least))
	}
	at *= float64(len(shades) - 1)
	i := min(int(at), len(shades)-2)
	f := at - float64(i)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a)*(1-f) + float64(b)*f)) }
	a, b := shades[i], shades[i+1]
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

func drawHeat(r *loadsim.Report, c *canvas) {
	points := intervals(r)
	h := newHeat(points)
	if h.most == 0 {
		c.nothing("Nothing was answered.")
		return
	}
	p := timeline(points, "response time")
	var all buckets.Sparse
	for _, point := range points {
		all = buckets.Merge(all, point.All())
	}
	first, last := span(all)
	p.Y.Min, _ = rowBounds(first)
	_, p.Y.Max = rowBounds(last)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(timeTicks)
	p.Add(h)
	middle := math.Sqrt(h.least * h.most)
	c.head(entry{count(h.least) + "/s", h.shade(h.least), false}, entry{count(middle) + "/s", h.shade(middle), false}, entry{count(h.most) + " answers/s", h.shade(h.most), false})
	p.Draw(c.Canvas)
}
