package find

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stampede-shop/stampede/sqltune/plan"
	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// Call is a statement that ran for a request.
type Call struct {
	Request string  `json:"request"` // a trace id, or whatever tells requests apart; may be empty
	SQL     string  `json:"sql"`
	Millis  float64 `json:"ms"`
}

type group struct {
	sql    string
	calls  int
	millis float64
	values map[string]bool
}

// Calls finds statements that ran again and again within one request, differing only in their values: a loop around a query. For each
// statement the worst request is named.
func Calls(calls []Call, o Options) []Finding {
	o.defaults()
	requests := map[string]map[string]*group{}
	totals := map[string]float64{}
	for _, c := range calls {
		if requests[c.Request] == nil {
			requests[c.Request] = map[string]*group{}
		}
		print := sqltext.Fingerprint(c.SQL)
		g := requests[c.Request][print]
		if g == nil {
			g = &group{sql: c.SQL, values: map[string]bool{}}
			requests[c.Request][print] = g
		}
		g.calls++
		g.millis += c.Millis
		g.values[c.SQL] = true
		totals[c.Request] += c.Millis
	}
	return worst(requests, totals, o)
}

// worst makes a finding of each statement that repeats in some request.
func worst(requests map[string]map[string]*group, totals map[string]float64, o Options) (found []Finding) {
	by := map[string]Finding{}
	most, seen := map[string]int{}, map[string]int{}
	for request, groups := range requests {
		for print, g := range groups {
			if g.calls < o.Repeats || sqltext.KindOf(g.sql) == sqltext.Other {
				continue
			}
			seen[print]++
			if g.calls < most[print] || g.calls == most[print] && by[print].Path <= request {
				continue
			}
			most[print] = g.calls
			by[print] = repeated(request, g, totals[request])
		}
	}
	for print, x := range by {
		if seen[print] > 1 {
			x.Evidence += fmt.Sprintf("; likewise in %d more requests", seen[print]-1)
		}
		found = append(found, x)
	}
	slices.SortFunc(found, func(a, b Finding) int { return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Title, b.Title)) })
	return found
}

func repeated(request string, g *group, total float64) Finding {
	x := Finding{Rule: Repeated, Path: request, Title: "the same statement again and again in one request: " + short(g.sql),
		Evidence: fmt.Sprintf("%d times, %s", g.calls, plan.Millis(g.millis)),
		Advice:   "Fetch all rows with one statement, WHERE key = ANY($1), or send the statements as one batch."}
	if total > 0 {
		x.Share = g.millis / total
	}
	if len(g.values) == 1 {
		if sqltext.KindOf(g.sql) == sqltext.Read {
			x.Advice += " If the values are the same each time, too, ask once and keep the answer."
		}
	}
	if sqltext.KindOf(g.sql) == sqltext.Write {
		x.Advice = "Write all rows with one statement (INSERT … SELECT FROM unnest($1, $2), UPDATE … FROM unnest), or send them as one batch."
	}
	return x
}

func short(sql string) string {
	s := []rune(sqltext.Fingerprint(sql))
	if len(s) > 100 {
		return string(s[:100]) + "…"
	}
	return string(s)
}
