package plan

import (
	"regexp"
	"strings"
)

// The text format is read into the objects that the JSON format would have, so that one reader serves both. Depth is told by
// indentation: a node's arrow stands right of its parent's.

var (
	nodeLine = regexp.MustCompile(`^(.*?)\s+\((?:cost=([0-9.]+)\.\.([0-9.]+) rows=([0-9.]+) width=([0-9]+)\)(?:\s+\()?)?` +
		`(?:actual (?:time=([0-9.]+)\.\.([0-9.]+) )?rows=([0-9.]+) loops=([0-9]+)\)|(never executed)\))?$`)
	subplanLine = regexp.MustCompile(`^(?:(InitPlan|SubPlan) .+|CTE .+)$`)
	propertyOf  = regexp.MustCompile(`^([A-Z][A-Za-z/ -]*[a-z]|JIT|TID Cond):(?: +(.*))?$`)
	workerLine  = regexp.MustCompile(`^Worker ([0-9]+):\s+(.*)$`)
	workerTimes = regexp.MustCompile(`^actual (?:time=([0-9.]+)\.\.([0-9.]+) )?rows=([0-9.]+) loops=([0-9]+)$`)
	logLine     = regexp.MustCompile(`duration: ([0-9.]+) ms\s+plan:\s*$`)
)

// ofText reads plans in EXPLAIN's text format: as psql shows them, or in a log of auto_explain.
func ofText(doc string) (plans []*Plan) {
	r := &textReader{}
	for line := range strings.Lines(doc) {
		r.line(line)
	}
	r.finish()
	for _, m := range r.done {
		if p, ok := build(m); ok {
			plans = append(plans, p)
		}
	}
	return plans
}

type textNode struct {
	fields map[string]any
	column int
}

type textReader struct {
	done     []map[string]any // finished plans
	doc      map[string]any   // the plan under way, nil before the first
	stack    []textNode       // from the root to the node that properties belong to
	base     int              // the root's indentation
	subplan  string           // of the next node
	footer   string           // the heading that deeper lines belong to
	query    []string         // the statement that is being read
	inQuery  bool
	duration string
	last     struct { // where a line that goes on belongs to
		fields map[string]any
		key    string
	}
}

// line reads one line; what is not of a plan is ignored.
func (r *textReader) line(raw string) {
	text := strings.TrimRight(strings.ReplaceAll(raw, "\t", "        "), " \r\n")
	text = strings.TrimSuffix(strings.TrimRight(text, " "), "+")
	text = strings.Trim(strings.TrimRight(text, " "), `"`) // some clients put each line in quotes
	body := strings.TrimLeft(text, " ")
	column := len(text) - len(body)
	if m := logLine.FindStringSubmatch(body); m != nil {
		r.finish()
		r.duration, r.inQuery = m[1], false
		return
	}
	if q, ok := strings.CutPrefix(body, "Query Text:"); ok && r.doc == nil {
		r.query, r.inQuery = []string{strings.TrimSpace(q)}, true
		return
	}
	arrow := strings.HasPrefix(body, "->  ")
	if m := nodeLine.FindStringSubmatch(strings.TrimPrefix(body, "->  ")); m != nil && (m[2] != "" || m[8] != "" || m[10] != "") {
		r.node(m, column, arrow)
		return
	}
	switch {
	case r.inQuery:
		r.query = append(r.query, strings.TrimSpace(body))
	case r.doc == nil || body == "" || strings.HasPrefix(body, "("):
	case column > r.base && r.footer == "":
		r.property(body, column)
	default:
		r.foot(body, column)
	}
}

func (r *textReader) finish() {
	if r.doc != nil {
		r.done = append(r.done, r.doc)
	}
	r.doc, r.stack, r.subplan, r.footer, r.query, r.duration = nil, nil, "", "", nil, ""
}

func (r *textReader) node(m []string, column int, arrow bool) {
	n := map[string]any{}
	for i, key := range []string{"Startup Cost", "Total Cost", "Plan Rows", "Plan Width", "Actual Startup Time", "Actual Total Time", "Actual Rows", "Actual Loops"} {
		if m[i+2] != "" {
			n[key] = m[i+2]
		}
	}
	if m[10] != "" {
		n["Actual Rows"], n["Actual Loops"] = "0", "0"
	}
	named(n, m[1])
	if !arrow || r.doc == nil {
		r.root(n, column)
		return
	}
	r.upTo(column)
	parent := r.stack[len(r.stack)-1].fields
	children, _ := parent["Plans"].([]any)
	n["Parent Relationship"] = r.relationship(parent, children)
	if r.subplan != "" {
		n["Subplan Name"], r.subplan = r.subplan, ""
	}
	parent["Plans"] = append(children, n)
	r.stack = append(r.stack, textNode{n, column})
	r.last.fields = nil
}

// upTo leaves the nodes that what stands at a column is not below.
func (r *textReader) upTo(column int) {
	for len(r.stack) > 1 && r.stack[len(r.stack)-1].column >= column {
		r.stack = r.stack[:len(r.stack)-1]
	}
}

func (r *textReader) root(n map[string]any, column int) {
	query, took := r.query, r.duration
	r.finish()
	r.doc = map[string]any{"Plan": n}
	if len(query) > 0 {
		r.doc["Query Text"] = strings.Join(query, "\n")
	}
	if took != "" {
		r.doc["Execution Time"] = took
	}
	r.base, r.inQuery, r.last.fields = column, false, nil
	r.stack = []textNode{{n, -1}}
}

// relationship is how a child stands to its parent: the text tells it only by the order.
func (r *textReader) relationship(parent map[string]any, before []any) string {
	switch {
	case strings.HasPrefix(r.subplan, "SubPlan"):
		return "SubPlan"
	case r.subplan != "":
		return "InitPlan"
	}
	inputs := 0
	for _, c := range before {
		switch c.(map[string]any)["Parent Relationship"] {
		case "InitPlan", "SubPlan":
		default:
			inputs++
		}
	}
	switch parent["Node Type"] {
	case "Append", "Merge Append", "BitmapAnd", "BitmapOr", "ModifyTable":
		return "Member"
	case "Subquery Scan":
		return "Subquery"
	}
	if inputs == 0 {
		return "Outer"
	}
	return "Inner"
}

// property reads a line below a node.
func (r *textReader) property(body string, column int) {
	if subplanLine.MatchString(body) && !propertyOf.MatchString(body) {
		r.upTo(column) // it may come after other children of its node
		r.subplan, r.last.fields = body, nil
		return
	}
	n := r.stack[len(r.stack)-1].fields
	if m := workerLine.FindStringSubmatch(body); m != nil {
		r.last.fields = worker(n, m[1], m[2])
		return
	}
	m := propertyOf.FindStringSubmatch(body)
	if m == nil {
		if r.last.fields != nil && r.last.key != "" { // a text with a line break in it
			r.last.fields[r.last.key] = asString(r.last.fields[r.last.key]) + "\n" + body
		}
		return
	}
	// What a worker did stands below its line, only Buffers and timings: these are in the node's own already.
	setProperty(n, m[1], m[2])
	r.last.fields, r.last.key = n, m[1]
	if _, isText := n[m[1]].(string); !isText {
		r.last.key = ""
	}
}

// worker reads what one worker did and gives its object.
func worker(n map[string]any, number, rest string) map[string]any {
	list, _ := n["Workers"].([]any)
	var w map[string]any
	for _, one := range list {
		if m := one.(map[string]any); m["Worker Number"] == number {
			w = m
		}
	}
	if w == nil {
		w = map[string]any{"Worker Number": number, "Node Type": n["Node Type"]}
		n["Workers"] = append(list, w)
	}
	if m := workerTimes.FindStringSubmatch(rest); m != nil {
		w["Actual Total Time"], w["Actual Rows"], w["Actual Loops"] = m[2], m[3], m[4]
	} else if m := propertyOf.FindStringSubmatch(rest); m != nil {
		setProperty(w, m[1], m[2])
	}
	return nil
}
