package prove

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is a report as it is shown.
type page struct {
	*Report
	Conclusion string
	Good       bool
	When       string
	Chart      *chart
	Tiers      []tierRow
	Loads      [][]string
	Costs      []costRow
	Checks     []string
}

type tierRow struct{ Name, All, Popular string }

type costRow struct{ Role, View, Order, Memory string }

// Write writes report.json, report.html and report.txt into a folder, which is made if need be. Each file is complete or
// absent.
func (r *Report) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	var html, text bytes.Buffer
	if err := errors.Join(pageTemplate.Execute(&html, r.page()), r.WriteText(&text, 120)); err != nil {
		return err
	}
	return errors.Join(loadsim.ReplaceFile(filepath.Join(dir, "report.json"), append(raw, '\n')),
		loadsim.ReplaceFile(filepath.Join(dir, "report.html"), html.Bytes()), loadsim.ReplaceFile(filepath.Join(dir, "report.txt"), text.Bytes()))
}

// ErrReport says that a file is no report of a proof.
var ErrReport = errors.New("not a report of stampede prove")

// ReadReport reads what Write wrote: a report.json, or the folder it is in.
func ReadReport(path string) (*Report, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "report.json")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Report
	if err := json.Unmarshal(raw, &r); err != nil || r.Started.IsZero() {
		return nil, fmt.Errorf("%w: %s", ErrReport, path)
	}
	return &r, nil
}

func (r *Report) page() page {
	p := page{Report: r, Conclusion: r.conclusion(), Good: r.Holds(false), When: r.Started.Format(time.DateTime) + " UTC"}
	if s := r.Scaling; s != nil && s.Fit != nil {
		p.Chart = newChart(*s)
	}
	if r.Tiers != nil {
		p.Tiers = r.Tiers.table()
	}
	for _, l := range []*Load{r.Browse, r.Journey} {
		if l != nil {
			p.Loads = append(p.Loads, l.row())
		}
	}
	if c := r.Costs; c != nil {
		for _, role := range roleOrder {
			p.Costs = append(p.Costs, costRow{role, microseconds(c.View[role]), microseconds(c.Order[role]), fmt.Sprintf("%d MiB", c.Memory[role]>>20)})
		}
		for _, check := range c.Checks {
			p.Checks = append(p.Checks, check.String())
		}
	}
	return p
}

// table are the tiers as shares.
func (t Tiers) table() (rows []tierRow) {
	var all, popular int64
	for _, r := range t.Rows {
		all, popular = all+r.All, popular+r.Popular
	}
	for _, r := range t.Rows {
		if r.Name != tierFailed || r.All > 0 {
			rows = append(rows, tierRow{r.Name, percent(float64(r.All) / float64(max(1, all))), percent(float64(r.Popular) / float64(max(1, popular)))})
		}
	}
	return rows
}

func (l Load) row() []string {
	cell := func(of map[string]float64, step string) string {
		if v, ok := of[step]; ok {
			return milliseconds(v)
		}
		return "–"
	}
	return []string{l.Scenario, thousands(l.Rate), percent(l.Good), cell(l.P50, "browse"), cell(l.P95, "browse"), cell(l.P99, "browse"),
		cell(l.P95, "view"), cell(l.P95, "checkout")}
}

func microseconds(s float64) string { return fmt.Sprintf("%.0f µs", 1e6*s) }

// chart is the picture of the scalability law.
type chart struct {
	Share      float64
	Grid       []spot
	Ticks      []spot
	Dots       []spot
	Ideal, Law string
}

// spot is a place in the picture.
type spot struct{ X, Y, Label string }

func newChart(s Scaling) *chart {
	top := s.Fit.Lambda * mostInstances
	for _, p := range s.Points {
		top = max(top, p.Throughput)
	}
	top *= 1.05
	x := func(n float64) string { return fmt.Sprintf("%.1f", 56+448*n/mostInstances) }
	y := func(v float64) string { return fmt.Sprintf("%.1f", 266-250*v/top) }
	c := &chart{Share: s.Share}
	step := math.Pow(10, math.Floor(math.Log10(top/2)))
	for top/step > 6 {
		step *= 2
	}
	for v := 0.0; v <= top; v += step {
		c.Grid = append(c.Grid, spot{Y: y(v), Label: thousands(v)})
	}
	for n := 1.0; n <= mostInstances; n *= 2 {
		c.Ticks = append(c.Ticks, spot{X: x(n), Label: fmt.Sprint(n)})
	}
	for _, p := range s.Points {
		c.Dots = append(c.Dots, spot{X: x(p.N), Y: y(p.Throughput)})
	}
	c.Ideal = x(0) + "," + y(0) + " " + x(mostInstances) + "," + y(s.Fit.Lambda*mostInstances)
	var law strings.Builder
	law.WriteString(x(0) + "," + y(0))
	for n := 0.25; n <= mostInstances; n += 0.25 {
		law.WriteString(" " + x(n) + "," + y(s.Fit.Throughput(n)))
	}
	c.Law = law.String()
	return c
}
