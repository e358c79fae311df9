package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Errors of Parse.
var (
	// ErrNoPlan says that there is no plan in the document.
	ErrNoPlan = errors.New("no query plan found: give what EXPLAIN printed as text or JSON, with its costs, or a log of auto_explain")
	// ErrTooLarge says that a document is over MaxDocument.
	ErrTooLarge = errors.New("the document is too large")
)

// MaxDocument is how many bytes Parse takes.
const MaxDocument = 64 << 20

// Parse reads all plans of a document. It takes time and memory in proportion to the document.
func Parse(doc []byte) ([]*Plan, error) {
	if len(doc) > MaxDocument {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(doc), MaxDocument)
	}
	doc = bytes.TrimSpace(bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf")))
	plans := ofJSON(doc)
	if len(plans) == 0 {
		plans = ofLog(string(doc))
	}
	if len(plans) == 0 {
		plans = ofScreen(string(doc))
	}
	if len(plans) > 0 {
		return plans, nil
	}
	if plans = ofText(string(doc)); len(plans) > 0 {
		return plans, nil
	}
	return nil, ErrNoPlan
}

// ofJSON reads JSON values one after the other. What follows the last whole one is ignored.
func ofJSON(doc []byte) (plans []*Plan) {
	if len(doc) == 0 || (doc[0] != '[' && doc[0] != '{') {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	for {
		var v any
		if err := dec.Decode(&v); err != nil {
			return plans
		}
		plans = append(plans, ofValue(v)...)
	}
}

func ofValue(v any) (plans []*Plan) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			plans = append(plans, ofValue(one)...)
		}
	case map[string]any:
		if p, ok := build(v); ok {
			return []*Plan{p}
		}
		if message, ok := v["message"].(string); ok { // a line of PostgreSQL's JSON log
			return ofLog(message)
		}
		if inner, ok := v["QUERY PLAN"]; ok { // a row, as clients print it
			return ofValue(inner)
		}
	case string:
		if s := strings.TrimSpace(v); strings.HasPrefix(s, "[") || strings.HasPrefix(s, "{") {
			return ofJSON([]byte(s))
		}
	}
	return plans
}

var logged = regexp.MustCompile(`duration: ([0-9.]+) ms\s+plan:\s*`)

// ofLog reads the plans that auto_explain wrote into a log.
func ofLog(doc string) (plans []*Plan) {
	for _, at := range logged.FindAllStringSubmatchIndex(doc, -1) {
		rest := doc[at[1]:]
		found := firstOf(rest)
		if len(found) == 0 {
			found = firstOf(strings.ReplaceAll(untilNext(rest), `""`, `"`)) // in a CSV log quotes are doubled
		}
		took, _ := strconv.ParseFloat(doc[at[2]:at[3]], 64)
		for _, p := range found {
			if p.Execution == 0 && p.Timed {
				p.Execution = took
				p.judge()
			}
		}
		plans = append(plans, found...)
	}
	return plans
}

func untilNext(s string) string {
	if at := logged.FindStringIndex(s); at != nil {
		return s[:at[0]]
	}
	return s
}

// firstOf reads the one value that the text begins with.
func firstOf(s string) []*Plan {
	if !strings.HasPrefix(s, "{") && !strings.HasPrefix(s, "[") {
		return nil
	}
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return ofValue(v)
}

// ofScreen reads what psql shows: a heading, lines that end in a plus sign, a count of rows.
func ofScreen(doc string) []*Plan {
	lines := strings.Split(doc, "\n")
	for i, l := range lines {
		l = strings.TrimRight(l, " \r")
		lines[i] = strings.TrimSuffix(l, "+")
	}
	for i, l := range lines {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, "[") || strings.HasPrefix(l, "{") {
			return ofJSON([]byte(strings.TrimSpace(strings.Join(lines[i:], "\n"))))
		}
	}
	return nil
}
