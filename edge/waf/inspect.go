package waf

import (
	"net/http"
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/types"
	"github.com/corazawaf/coraza/v3/types/variables"
)

// Match is a rule that found something.
type Match struct {
	Rule      int
	Message   string
	Variables []string // names of what it looked at; values are never kept
}

// Verdict is what the rules say of a request.
type Verdict struct {
	// Status is what a blocked request is answered with: 403, 400 for a body that cannot be parsed, 413 for
	// too much text, 503 when it found no turn, 500 when the engine broke. 0 lets it pass.
	Status int
	// Matches are the rules that found something, also where it was not enough to object.
	Matches []Match
	// Fast tells that the parts of the request were all known or found to be clean, one by one.
	Fast bool

	detail string // for the client, beyond what the status says
}

// Objects tells whether the request is to be blocked.
func (v Verdict) Objects() bool { return v.Status != 0 }

// part is what one transaction of the engine is fed.
type part struct {
	method, uri, proto, client, host string
	headers                          []pair
	fields                           []pair
	body                             []byte
}

// run evaluates a part. The rules of responses are not loaded, and there is no logging phase.
func run(w coraza.WAF, p *part) Verdict {
	tx, it := evaluate(w, p)
	defer tx.Close() //nolint:errcheck // only removes temporary files
	v := Verdict{Matches: matches(tx, it)}
	if it != nil {
		if v.Status = it.Status; v.Status == 0 {
			v.Status = http.StatusForbidden
		}
	}
	return v
}

// evaluate goes through both request phases.
func evaluate(w coraza.WAF, p *part) (types.Transaction, *types.Interruption) {
	tx := w.NewTransactionWithID("-")
	tx.ProcessConnection(p.client, 0, "", 0)
	tx.ProcessURI(p.uri, p.method, p.proto)
	tx.SetServerName(p.host)
	for _, h := range p.headers {
		tx.AddRequestHeader(h.name, h.value)
	}
	if it := tx.ProcessRequestHeaders(); it != nil {
		return tx, it
	}
	return tx, runBody(tx, p)
}

func runBody(tx types.Transaction, p *part) *types.Interruption {
	for _, f := range p.fields {
		tx.AddPostRequestArgument(f.name, f.value)
	}
	if len(p.body) > 0 {
		if it, _, err := tx.WriteRequestBody(p.body); it != nil || err != nil {
			return orUnreadable(it)
		}
	}
	it, err := tx.ProcessRequestBody()
	if err != nil {
		return orUnreadable(it)
	}
	return it
}

func orUnreadable(it *types.Interruption) *types.Interruption {
	if it == nil {
		it = &types.Interruption{Status: http.StatusBadRequest}
	}
	return it
}

// anyMatch evaluates a part by rules that only detect.
func anyMatch(w coraza.WAF, p *part) bool {
	tx, it := evaluate(w, p)
	defer tx.Close() //nolint:errcheck // only removes temporary files
	return it != nil || len(tx.MatchedRules()) > 0
}

// matches are the detections among the rules that matched: those of the rule set, which say their paranoia level, and
// whatever rule ended the request. Rules that only steer are left out, and so is the one that adds up the scores: it
// found nothing by itself.
func matches(tx types.Transaction, it *types.Interruption) []Match {
	var out []Match
	for _, m := range tx.MatchedRules() {
		tags := m.Rule().Tags()
		if slices.Contains(tags, "anomaly-evaluation") || !slices.ContainsFunc(tags, isLevel) && (it == nil || it.RuleID != m.Rule().ID()) {
			continue
		}
		found := Match{Rule: m.Rule().ID(), Message: m.Message()}
		for _, d := range m.MatchedDatas() {
			if name := variableName(d); name != "" && !slices.Contains(found.Variables, name) {
				found.Variables = append(found.Variables, name)
			}
		}
		out = append(out, found)
	}
	return out
}

func isLevel(tag string) bool { return strings.HasPrefix(tag, "paranoia-level/") }

func variableName(d types.MatchData) string {
	if d.Variable() == variables.TX || d.Variable() == variables.Unknown {
		return ""
	}
	name := d.Variable().Name()
	if key := d.Key(); key != "" {
		name += ":" + key[:min(len(key), 64)]
	}
	return name
}

// whole inspects a request as one, by all rules: the verdict that counts.
func (rs *ruleset) whole(q *request) Verdict {
	return run(rs.full, wholePart(q))
}

func wholePart(q *request) *part {
	return &part{method: q.method, uri: q.uri, proto: q.proto, client: q.client, host: q.host, headers: q.headers,
		fields: append(slices.Clip(q.fields), q.repeated...), body: q.body}
}
