package report

import (
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"duration": duration, "count": count, "thousands": thousands, "percent": percent, "join": strings.Join,
}).Parse(pageText))

// picture of the page, with its bytes in it.
type picture struct {
	figure
	Source template.URL
}

// bad is a kind of bad answers.
type bad struct {
	Kind string
	loadsim.Failures
}

// named is a count with its name.
type named struct {
	Name  string
	Count int64
}

type page struct {
	*loadsim.Report
	Verdict   string
	Good      bool
	Started   string
	Columns   []string
	Steps     [][]string
	Bad       []bad
	Refused   []named
	Abandoned []named
	Pictures  []picture
}

func writePage(w io.Writer, r *loadsim.Report, pictures map[string][]byte) error {
	p := page{
		Report: r, Started: r.Summary.StartedAt.Format(time.DateTime) + " UTC", Columns: columns, Steps: table(r),
		Refused: sorted(r.Refused), Abandoned: sorted(r.Summary.Abandoned),
	}
	p.Verdict, p.Good = verdict(r)
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		p.Bad = append(p.Bad, bad{kind, *r.Errors[kind]})
	}
	slices.SortStableFunc(p.Bad, func(a, b bad) int { return int(b.Count - a.Count) })
	for _, f := range figures {
		if f.File == "steps" {
			continue // the page has a table
		}
		p.Pictures = append(p.Pictures, picture{f, template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(pictures[f.File]))})
	}
	return pageTemplate.Execute(w, p)
}

func sorted(counts map[string]int64) (list []named) {
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, named{strings.ReplaceAll(name, "_", " "), counts[name]})
	}
	return list
}

// verdict is the report in a sentence.
func verdict(r *loadsim.Report) (words string, good bool) {
	s := r.Summary
	switch {
	case !s.Valid:
		return "These figures are not to be trusted: " + strings.Join(s.Invalid, "; ") + ".", false
	case s.TotalRequests == 0:
		return "Nothing was asked.", false
	case s.Failed == 0:
		return "Every request was answered well.", true
	default:
		return percent(1-s.SuccessRate) + " of the requests were answered badly.", false
	}
}
