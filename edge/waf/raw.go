package waf

import (
	"slices"
	"strings"
)

// rawTargets are what rules see of a query or a form before it is decoded.
var rawTargets = []string{"REQUEST_URI", "REQUEST_URI_RAW", "QUERY_STRING", "REQUEST_LINE", "REQUEST_BODY", "FULL_REQUEST"}

func seesRaw(r rule) bool {
	return slices.ContainsFunc(r.targets, func(t string) bool { return slices.Contains(rawTargets, t) })
}

// rawRules are the detections up to a paranoia level that look at queries and forms as they are written. Conditions of a
// chain that look at anything else are left out, as in valueRules.
func rawRules(paranoia int) (string, error) {
	var b strings.Builder
	err := eachDetection(paranoia, func(g group) {
		kept := slices.DeleteFunc(slices.Clone(g), func(r rule) bool { return !seesRaw(r) })
		for i, r := range kept {
			targets := slices.DeleteFunc(slices.Clone(r.targets), func(t string) bool { return !slices.Contains(rawTargets, t) })
			op := "@" + r.operator + " " + r.argument
			if r.negated {
				op = "!" + op
			}
			b.WriteString(detection(g, r, strings.Join(targets, "|"), op, i == 0, i == len(kept)-1))
		}
	})
	return b.String(), err
}

// rawPart is a request as rawRules look at it.
func rawPart(q *request) *part {
	p := &part{method: q.method, uri: q.uri, proto: q.proto, body: q.body}
	if len(q.body) > 0 {
		p.headers = []pair{{"Content-Type", "application/x-www-form-urlencoded"}}
	}
	return p
}
