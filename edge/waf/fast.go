package waf

import (
	"slices"
	"strconv"
	"strings"
)

// clean remembers what a rule set found nothing in.
type clean struct {
	envelopes, values *cleanSet
}

// shortValue is the longest value worth remembering.
const shortValue = 512

// worthwhile tells whether the fast path suits the options: rules of the levels beyond 2 count over all parts.
func (o Options) worthwhile() bool { return o.CleanEntries >= 0 && o.Paranoia <= 2 }

// fast tries to show, part by part, that no rule finds anything: the envelope with placeholders for values by the
// whole rule set, the values by the rules that look at values, where values are encoded the query or form as it is
// written by the rules that look at that, and a path with a slug by those that look at paths. Parts that were clean before are not looked at again.
// One match anywhere, and it is for whole to judge: scores add up over the parts, and exclusions apply there.
func (w *WAF) fast(rs *ruleset, known *clean, q *request) bool {
	if rs.text == nil || q.repeated != nil {
		return false
	}
	if rs.custom != nil && anyMatch(rs.custom, wholePart(q)) {
		return false
	}
	return rs.envelopeClean(known, q) && !(q.coded && anyMatch(rs.raw, rawPart(q))) && (!q.slugged || rs.pathClean(known, q)) && rs.valuesClean(known, q)
}

// pathClean inspects a path whose slug is not in the envelope.
func (rs *ruleset) pathClean(known *clean, q *request) bool {
	id := known.envelopes.of([]byte("path " + q.method + " " + q.uri)) // envelopes begin with a digit
	if known.envelopes.has(id) {
		return true
	}
	if anyMatch(rs.path, &part{method: q.method, uri: q.uri, proto: q.proto}) {
		return false
	}
	known.envelopes.add(id)
	return true
}

func (rs *ruleset) envelopeClean(known *clean, q *request) bool {
	names := fieldNames(q.fields)
	id := known.envelopes.of(appendEnvelope(make([]byte, 0, 1024), q, names))
	if known.envelopes.has(id) {
		return true
	}
	p := &part{method: q.method, uri: q.cleanURI, proto: q.proto, client: q.client, host: q.host, headers: q.cleanHeaders, body: q.cleanBody}
	for _, n := range names {
		p.fields = append(p.fields, pair{n, placeholder})
	}
	if v := run(rs.full, p); v.Objects() || len(v.Matches) > 0 {
		return false
	}
	known.envelopes.add(id)
	return true
}

func fieldNames(fields []pair) []string {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// appendEnvelope writes an envelope without ambiguity: every string after its length.
func appendEnvelope(b []byte, q *request, names []string) []byte {
	add := func(s string) {
		b = strconv.AppendInt(b, int64(len(s)), 10)
		b = append(append(b, ':'), s...)
	}
	for _, s := range [...]string{q.method, q.cleanURI, q.proto, q.host} {
		add(s)
	}
	for _, h := range q.cleanHeaders {
		add(h.name)
		add(h.value)
	}
	b = append(b, '|')
	for _, n := range names {
		add(n)
	}
	b = append(b, '|')
	return append(b, q.cleanBody...)
}

// valuesClean inspects the values that are not known: plain ones by the few rules that can match plain text, the
// others by all that look at values.
func (rs *ruleset) valuesClean(known *clean, q *request) bool {
	var words, text []string
	sort := func(v string) {
		switch {
		case harmless(v) || len(v) <= shortValue && known.values.has(known.values.ofString(v)):
		case isPlain(v):
			words = append(words, v)
		default:
			text = append(text, v)
		}
	}
	for _, v := range q.apart {
		sort(v)
	}
	for _, f := range q.fields {
		sort(f.value)
	}
	if len(words) > 0 && anyMatch(rs.words, valuePart(words)) || len(text) > 0 && anyMatch(rs.text, valuePart(text)) {
		return false
	}
	for _, v := range slices.Concat(words, text) {
		if len(v) <= shortValue {
			known.values.add(known.values.ofString(strings.Clone(v)))
		}
	}
	return true
}

func valuePart(values []string) *part {
	p := &part{method: "POST", uri: "/", proto: "HTTP/1.1", fields: make([]pair, len(values))}
	for i, v := range values {
		p.fields[i] = pair{"v" + strconv.Itoa(i), v}
	}
	return p
}
