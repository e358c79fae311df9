package report

import (
	"bytes"
	"fmt"
	"path/filepath"

	"gonum.org/v1/plot/vg"

	"github.com/stampede-shop/stampede/loadsim"
)

// figure is one picture of a report.
type figure struct {
	File    string // without extension
	Title   string
	Caption string
	draw    func(r *loadsim.Report, c *canvas)
	size    func(r *loadsim.Report) (w, h vg.Length) // default width and height
}

var figures = []figure{
	{File: "throughput", Title: "Throughput over time", draw: drawThroughput,
		Caption: "Requests finished a second, good and bad, and what was intended."},
	{File: "latency", Title: "Response times over time", draw: drawLatency,
		Caption: "Half, 95 % and 99 % of the answers came within these times."},
	{File: "errors", Title: "Errors over time", draw: drawErrors,
		Caption: "Share of requests that were answered badly: refused for overload, failed, timed out, late or wrong. Expected refusals are none of these."},
	{File: "distribution", Title: "How response times are distributed", draw: drawDistribution,
		Caption: "How many of a step's answers took how long, on a logarithmic scale."},
	{File: "percentiles", Title: "Response times by step", draw: drawPercentiles,
		Caption: "Half, 95 % and 99 % of the answers of each step came within these times."},
	{File: "heatmap", Title: "Response times as a heat map", draw: drawHeat,
		Caption: "Each column is a stretch of time; the darker a field, the more of its answers took so long. Two bands are two kinds of answers, a rising band is a queue."},
	{File: "steps", Title: "Steps", draw: drawTable, size: tableSize,
		Caption: "All figures by step."},
}

// Write writes into dir, which is made if need be: report.json, report.txt, report.html, and one PNG for each picture.
// Each file is complete or absent.
func Write(dir string, r *loadsim.Report) error {
	if err := r.WriteFiles(dir); err != nil {
		return err
	}
	pictures := map[string][]byte{}
	for _, f := range figures {
		png, err := f.render(r)
		if err != nil {
			return fmt.Errorf("report: draw %s: %w", f.File, err)
		}
		pictures[f.File] = png
		if err := loadsim.ReplaceFile(filepath.Join(dir, f.File+".png"), png); err != nil {
			return err
		}
	}
	var page bytes.Buffer
	if err := writePage(&page, r, pictures); err != nil {
		return fmt.Errorf("report: write page: %w", err)
	}
	return loadsim.ReplaceFile(filepath.Join(dir, "report.html"), page.Bytes())
}
