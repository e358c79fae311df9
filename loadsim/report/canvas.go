package report

import (
	"bytes"
	"image/color"
	"image/png"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/stampede-shop/stampede/loadsim"
)

// Size of a picture, in points.
const (
	width  = 620
	height = 300
	margin = 16
)

// dpi is pixels an inch, an inch being 72 points. Tests draw more coarsely, which is cheaper.
var dpi = 160

var (
	ink    = color.NRGBA{0x1f, 0x29, 0x37, 0xff}
	faint  = color.NRGBA{0x6b, 0x72, 0x80, 0xff}
	rule   = color.NRGBA{0xe5, 0xe7, 0xeb, 0xff}
	blue   = color.NRGBA{0x1d, 0x4e, 0xd8, 0xff}
	sky    = color.NRGBA{0x60, 0xa5, 0xfa, 0xff}
	amber  = color.NRGBA{0xd9, 0x77, 0x06, 0xff}
	red    = color.NRGBA{0xdc, 0x26, 0x26, 0xff}
	green  = color.NRGBA{0x05, 0x96, 0x69, 0xff}
	violet = color.NRGBA{0x7c, 0x3a, 0xed, 0xff}
	pink   = color.NRGBA{0xdb, 0x27, 0x77, 0xff}
)

// palette tells series apart, in this order.
var palette = []color.NRGBA{blue, amber, green, violet, red, sky, pink}

// stepColour is the same for a step in all pictures.
func stepColour(step string) color.NRGBA {
	for i, name := range loadsim.Steps() {
		if name == step {
			return palette[i%len(palette)]
		}
	}
	return ink
}

func sans(size float64, bold bool) font.Font {
	f := font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, vg.Length(size))
	if bold {
		f.Weight = xfont.WeightBold
	}
	return f
}

func style(size float64, bold bool, c color.Color) text.Style {
	return text.Style{Color: c, Font: sans(size, bold), Handler: plot.DefaultTextHandler}
}

// canvas is a picture being drawn, from the top down.
type canvas struct {
	draw.Canvas
	title string
}

// entry of a legend.
type entry struct {
	name   string
	colour color.NRGBA
	dashed bool
}

func (f figure) render(r *loadsim.Report) ([]byte, error) {
	w, h := vg.Length(width), vg.Length(height)
	if f.size != nil {
		w, h = f.size(r)
	}
	img := vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))
	c := &canvas{draw.Crop(draw.New(img), margin, -margin, margin, -margin), f.Title}
	f.draw(r, c)
	var b bytes.Buffer
	err := png.Encode(&b, img.Image())
	return b.Bytes(), err
}

// head draws the title and a line of legend, and leaves the room below.
func (c *canvas) head(legend ...entry) {
	c.write(style(14, true, ink), c.Min.X, c.Max.Y, text.XLeft, c.title)
	c.Max.Y -= 24
	x := c.Min.X
	for _, e := range legend {
		line := draw.LineStyle{Color: e.colour, Width: 3}
		if e.dashed {
			line = draw.LineStyle{Color: e.colour, Width: 1.5, Dashes: dashes}
		}
		c.StrokeLine2(line, x, c.Max.Y-6, x+16, c.Max.Y-6)
		s := style(10, false, faint)
		c.write(s, x+21, c.Max.Y, text.XLeft, e.name)
		x += 21 + s.Rectangle(e.name).Size().X + 16
	}
	if len(legend) > 0 {
		c.Max.Y -= 20
	}
}

var dashes = []vg.Length{4, 3}

// write puts text with its upper edge at y.
func (c *canvas) write(s text.Style, x, y vg.Length, align text.XAlignment, words string) {
	s.XAlign, s.YAlign = align, text.YTop
	c.FillText(s, vg.Point{X: x, Y: y}, words)
}

// nothing says why there is no picture.
func (c *canvas) nothing(why string) {
	c.head()
	s := style(12, false, faint)
	s.XAlign, s.YAlign = text.XCenter, text.YCenter
	c.FillText(s, c.Center(), why)
}

// newPlot is an empty plot in our style.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle = draw.LineStyle{Color: rule, Width: 1}
		a.Tick.LineStyle = draw.LineStyle{Color: rule, Width: 1}
		a.Tick.Label.Font, a.Tick.Label.Color = sans(10, false), faint
		a.Label.TextStyle.Font, a.Label.TextStyle.Color = sans(10, false), faint
		a.Padding = 4
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	return p
}
