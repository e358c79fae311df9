package opshttp

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Problem answers with an RFC 9457 document; its types are those of the shop's API.
func Problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // the client may be gone
		"type": "/problems/" + code, "title": http.StatusText(status), "status": status, "detail": detail,
	})
}

// ProblemError reads what opsProblem wrote, or any other answer that is not good.
func ProblemError(call string, status string, raw []byte) error {
	var p struct {
		Detail string `json:"detail"`
	}
	text := strings.TrimSpace(string(raw))
	if json.Unmarshal(raw, &p) == nil && p.Detail != "" {
		text = p.Detail
	}
	return errors.New(call + ": " + status + ": " + text)
}

// sameOrigin tells whether a request that names an origin names ours. Programs name none.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

// UnknownOps answers what no other pattern of mux does: 405 when the path takes another method.
func UnknownOps(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allow []string
		for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
			if _, pattern := mux.Handler(&http.Request{Method: m, Host: r.Host, URL: r.URL}); strings.HasPrefix(pattern, m+" ") || m == http.MethodHead && strings.HasPrefix(pattern, "GET ") {
				allow = append(allow, m)
			}
		}
		if len(allow) == 0 {
			Problem(w, http.StatusNotFound, "not-found", "there is no "+r.URL.Path+" here, or not in this version")
			return
		}
		w.Header().Set("Allow", strings.Join(allow, ", "))
		Problem(w, http.StatusMethodNotAllowed, "method-not-allowed", r.Method+" is not possible here: use "+strings.Join(allow, " or "))
	}
}
