package report

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// even places about so many ticks at round values.
func even(n int, label func(float64) string) plot.TickerFunc {
	return func(low, high float64) (ticks []plot.Tick) {
		step := niceStep((high - low) / float64(n))
		for v := math.Ceil(low/step) * step; v <= high+step*1e-9; v += step {
			ticks = append(ticks, plot.Tick{Value: v, Label: label(v)})
		}
		return ticks
	}
}

// niceStep is the smallest of 1, 2, 5 times a power of ten that is not below v.
func niceStep(v float64) float64 {
	if !(v > 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// timeTicks places ticks on a logarithmic axis of times.
func timeTicks(low, high float64) (ticks []plot.Tick) {
	for power := math.Pow(10, math.Floor(math.Log10(low))); power <= high; power *= 10 {
		for m := 1.0; m < 10; m++ {
			v := m * power
			if v < low*(1-1e-9) || v > high*(1+1e-9) {
				continue
			}
			t := plot.Tick{Value: v}
			if m == 1 || high/low < 12 && (m == 2 || m == 5) {
				t.Label = duration(v)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// duration writes seconds short: 50 µs, 2 ms, 1.5 s, 3 min.
func duration(s float64) string {
	num := func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
	switch {
	case s == 0:
		return "0"
	case s < 0.9995e-3:
		return num(s*1e6) + " µs"
	case s < 0.9995:
		return num(s*1e3) + " ms"
	case s < 120:
		return num(s) + " s"
	case s < 7200:
		return num(s/60) + " min"
	default:
		return num(s/3600) + " h"
	}
}

// rough is a duration to two digits.
func rough(s float64) string {
	if s <= 0 {
		return "0"
	}
	unit := math.Pow(10, math.Floor(math.Log10(s))-1)
	return duration(math.Round(s/unit) * unit)
}

// count writes a number short: 950, 12.5k, 3M.
func count(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + "M"
	case v >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 3, 64) + "k"
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	default:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
}

// thousands writes a whole number with its groups apart.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// percent writes a share; one that is nearly all or nearly nothing is not rounded to it.
func percent(share float64) string {
	p := 100 * share
	switch {
	case share == 0 || share == 1:
		return fmt.Sprintf("%.0f %%", p)
	case p < 0.01:
		return "<0.01 %"
	case p > 99.99:
		return ">99.99 %"
	default:
		return fmt.Sprintf("%.2f %%", p)
	}
}

// grid draws horizontal lines at the labelled ticks, and vertical ones if wanted.
func grid(vertical bool) *plotter.Grid {
	g := plotter.NewGrid()
	g.Horizontal = draw.LineStyle{Color: rule, Width: 0.75}
	g.Vertical = draw.LineStyle{Color: rule, Width: 0}
	if vertical {
		g.Vertical.Width = 0.75
	}
	return g
}
