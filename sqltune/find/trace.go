package find

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// ErrNoCalls says that a document holds no statements.
var ErrNoCalls = errors.New("no statements found: give JSON lines with sql, ms and request, spans in OTLP's JSON, or statements that end in semicolons")

// ReadCalls reads the statements of requests: JSON lines ({"request": …, "sql": …, "ms": …}; trace_id, statement, db.query.text and
// duration_ms are understood, too), traces in OTLP's JSON, or plain SQL, which is taken for one request.
func ReadCalls(doc []byte) ([]Call, error) {
	doc = bytes.TrimSpace(doc)
	var calls []Call
	if len(doc) > 0 && doc[0] == '{' {
		lines := bufio.NewScanner(bytes.NewReader(doc))
		lines.Buffer(nil, 64<<20)
		for n := 1; lines.Scan(); n++ {
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue
			}
			var m map[string]any
			if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
				if whole := spansOf(doc); len(whole) > 0 {
					return whole, nil
				}
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			calls = append(calls, callsOf(m)...)
		}
		if err := lines.Err(); err != nil {
			return nil, err
		}
	} else {
		list, _ := sqltext.Split(string(doc))
		for _, sql := range list {
			calls = append(calls, Call{SQL: sql})
		}
	}
	if len(calls) == 0 {
		return nil, ErrNoCalls
	}
	return calls, nil
}

func spansOf(doc []byte) []Call {
	var m map[string]any
	if json.Unmarshal(doc, &m) != nil {
		return nil
	}
	return callsOf(m)
}

// callsOf reads one object: a statement, or a batch of spans.
func callsOf(m map[string]any) (calls []Call) {
	if m["resourceSpans"] != nil {
		walk(m, func(span map[string]any) { calls = append(calls, spanCall(span)...) })
		return calls
	}
	first := func(names ...string) string {
		for _, n := range names {
			if s, ok := m[n].(string); ok && s != "" {
				return s
			}
		}
		return ""
	}
	c := Call{Request: first("request", "request_id", "trace_id", "traceId", "trace"), SQL: first("sql", "statement", "db.query.text", "db.statement", "query")}
	for _, n := range []string{"ms", "duration_ms", "took_ms"} {
		if x, ok := m[n].(float64); ok {
			c.Millis = x
		}
	}
	if c.SQL == "" {
		return nil
	}
	return []Call{c}
}

// walk calls fn for every object with a traceId.
func walk(v any, fn func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		if v["traceId"] != nil {
			fn(v)
			return
		}
		for _, one := range v {
			walk(one, fn)
		}
	case []any:
		for _, one := range v {
			walk(one, fn)
		}
	}
}

// spanCall is the statement of a span, where it has one.
func spanCall(span map[string]any) []Call {
	c := Call{}
	c.Request, _ = span["traceId"].(string)
	list, _ := span["attributes"].([]any)
	for _, a := range list {
		attr, _ := a.(map[string]any)
		key, _ := attr["key"].(string)
		value, _ := attr["value"].(map[string]any)
		if text, _ := value["stringValue"].(string); strings.HasPrefix(key, "db.") && (key == "db.query.text" || key == "db.statement") {
			c.SQL = text
		}
	}
	c.Millis = (nanos(span["endTimeUnixNano"]) - nanos(span["startTimeUnixNano"])) / 1e6
	if c.SQL == "" {
		return nil
	}
	return []Call{c}
}

func nanos(v any) float64 {
	switch v := v.(type) {
	case string:
		var x float64
		_, _ = fmt.Sscan(v, &x)
		return x
	case float64:
		return v
	}
	return 0
}
