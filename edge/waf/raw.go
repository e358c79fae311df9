package waf

import (
	"slices"
	"strings"
)

// rawTargets are what rules see of a query or a form before it is decoded, pathTargets what they see of a path.
var (
	rawTargets  = []string{"REQUEST_URI", "REQUEST_URI_RAW", "QUERY_STRING", "REQUEST_LINE", "REQUEST_BODY", "FULL_REQUEST"}
	pathTargets = []string{"REQUEST_URI", "REQUEST_URI_RAW", "REQUEST_FILENAME", "REQUEST_BASENAME", "REQUEST_LINE", "FULL_REQUEST"}
)

// rulesOn are the detections up to a paranoia level that look at any of the targets, and at nothing else. Conditions of a chain that
// look at something else are left out, as in valueRules.
func rulesOn(targets []string, paranoia int) (string, error) {
	other := func(t string) bool { return !slices.Contains(targets, t) }
	var b strings.Builder
	err := eachDetection(paranoia, func(g group) {
		var kept []rule
		for _, r := range g {
			if r.targets = slices.DeleteFunc(slices.Clone(r.targets), other); len(r.targets) > 0 {
				kept = append(kept, r)
			}
		}
		for i, r := range kept {
			op := "@" + r.operator + " " + r.argument
			if r.negated {
				op = "!" + op
			}
			b.WriteString(detection(g, r, strings.Join(r.targets, "|"), op, i == 0, i == len(kept)-1))
		}
	})
	return b.String(), err
}

// rawPart is a request as the rules on what is written look at it.
func rawPart(q *request) *part {
	p := &part{method: q.method, uri: q.uri, proto: q.proto, body: q.body}
	if len(q.body) > 0 {
		p.headers = []pair{{"Content-Type", "application/x-www-form-urlencoded"}}
	}
	return p
}
