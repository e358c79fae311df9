package waf

import (
	"net/http"
	"slices"
	"strings"
)

// report writes the line that explains the problem with the same id. It names what the rules looked at, never what
// stood there: that may be a password, a session or an address.
func (w *WAF) report(r *http.Request, v Verdict, mode Mode) {
	var ids []int
	var names, messages []string
	for _, m := range v.Matches {
		ids = append(ids, m.Rule)
		w.m.matches.WithLabelValues(itoa(m.Rule)).Inc()
		for _, n := range m.Variables {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
		if !slices.Contains(messages, m.Message) {
			messages = append(messages, m.Message)
		}
	}
	path := r.URL.Path
	if len(path) > 200 {
		path = path[:200] + "…"
	}
	w.opts.Log.Warn("request objected to", "request_id", r.Header.Get("X-Request-Id"), "mode", string(mode), "status", v.Status,
		"method", r.Method, "path", path, "client", clientOf(r), "rules", ids, "variables", names,
		"because", strings.Join(append(messages, v.detail), "; "))
}
