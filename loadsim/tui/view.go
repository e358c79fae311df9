package tui

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
)

// Widths of the picture, in characters.
const (
	barWidth   = 48
	chartWidth = 40
)

// Colours that terminals have.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	plain = "\x1b[0m"
)

func paint(colour, text string) string { return colour + text + plain }

// picture is a run as drawn on a terminal; rates are those of the seconds that fit.
func picture(s loadsim.Snapshot, rates []float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s\n", paint(bold, s.Scenario), s.Target)
	share := 0.0
	if s.Duration > 0 {
		share = min(1, s.Elapsed.Seconds()/s.Duration.Seconds())
	}
	full := int(share * barWidth)
	fmt.Fprintf(&b, "%s%s  %s of %s\n\n", strings.Repeat("█", full), paint(dim, strings.Repeat("░", barWidth-full)), clock(s.Elapsed), clock(s.Duration))
	fmt.Fprintf(&b, "%-12s%9s/s  %s", "now", thousands(perSecond(s.Last.Requests, s.Last.Seconds)), spark(rates))
	b.WriteString("\n" + intended(s) + "\n")
	good, colour := 100.0, green
	if s.Requests > 0 {
		good = 100 * float64(s.Requests-s.Errors) / float64(s.Requests)
	}
	if s.Errors > 0 {
		colour = red
	}
	fmt.Fprintf(&b, "%-12s%9s    %s good, %d bad, %s orders\n\n", "so far", thousands(float64(s.Requests)), paint(colour, strconv.FormatFloat(good, 'f', 4, 64)+" %"), s.Errors, thousands(float64(s.Orders)))
	steps(&b, s)
	asides(&b, s)
	b.WriteString(paint(dim, "q ends the run early; the report is of what was done until then") + "\n")
	return b.String()
}

func intended(s loadsim.Snapshot) string {
	if s.Model == "open" {
		return fmt.Sprintf("%-12s%9s/s  %d shoppers at work", "intended", thousands(s.Level), s.Users)
	}
	return fmt.Sprintf("%-12s%9s", "shoppers", thousands(float64(s.Users)))
}

// steps is a table of the steps so far.
func steps(b *strings.Builder, s loadsim.Snapshot) {
	b.WriteString(paint(dim, fmt.Sprintf("%-12s%9s%10s%10s%10s%10s%9s", "step", "requests", "now", "p50", "p95", "p99", "bad")) + "\n")
	for _, name := range loadsim.Steps() {
		step, ok := s.Steps[name]
		if !ok {
			continue
		}
		at := func(q float64) string { return loadsim.FormatSeconds(step.Times.Quantile(q)) }
		bad := fmt.Sprintf("%9d", step.Errors)
		if step.Errors > 0 {
			bad = paint(red, bad)
		}
		now := s.Last.Steps[name]
		fmt.Fprintf(b, "%-12s%9s%8s/s%10s%10s%10s%s\n", name, thousands(float64(step.Requests())), thousands(perSecond(now.Requests(), s.Last.Seconds)), at(0.5), at(0.95), at(0.99), bad)
	}
	b.WriteByte('\n')
}

// asides are what there is to say only now and then.
func asides(b *strings.Builder, s loadsim.Snapshot) {
	if len(s.Kinds) > 0 {
		kinds := slices.SortedFunc(maps.Keys(s.Kinds), func(x, y string) int { return int(s.Kinds[y] - s.Kinds[x]) })
		var list []string
		for _, kind := range kinds[:min(len(kinds), 6)] {
			list = append(list, fmt.Sprintf("%s %d", kind, s.Kinds[kind]))
		}
		fmt.Fprintf(b, "%s %s\n", paint(red, "bad answers:"), strings.Join(list, ", "))
	}
	if s.Places > 0 {
		fmt.Fprintf(b, "waiting room: %s answers were a place in it\n", thousands(float64(s.Places)))
	}
	if late := "generator late by " + loadsim.FormatSeconds(s.Lag) + " (p99)"; s.Lag > 0.010 {
		b.WriteString(paint(red, late+": the figures may be its own") + "\n")
	} else {
		b.WriteString(paint(dim, late) + "\n")
	}
}

// spark draws numbers as a row of bars.
func spark(values []float64) string {
	const bars = "▁▂▃▄▅▆▇█"
	levels := []rune(bars)
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	var b strings.Builder
	for _, v := range values {
		i := 0
		if most > 0 {
			i = int(v / most * float64(len(levels)-1))
		}
		b.WriteRune(levels[i])
	}
	return b.String()
}

func clock(d time.Duration) string {
	s := int(d.Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func thousands(v float64) string {
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
