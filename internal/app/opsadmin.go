package app

import (
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strings"
)

// adminOnly guards the calls of a role's own operations endpoint that change something or tell more than metrics: they need
// the admin token, or, where none is configured, have to be made on this machine, and by no page in a browser here.
func adminOnly(cfg Config, h http.HandlerFunc) http.HandlerFunc {
	if token := cfg.Admin.Token; token != "" {
		return func(w http.ResponseWriter, r *http.Request) {
			given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok || subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
				w.Header().Set("WWW-Authenticate", `Bearer realm="stampede"`)
				opsProblem(w, http.StatusUnauthorized, "unauthorized", "the admin token is needed: send Authorization: Bearer")
				return
			}
			h(w, r)
		}
	}
	return hereOnly(h)
}

// hereOnly guards calls that are made on this machine: by `up`, or by an operator.
func hereOnly(h http.HandlerFunc) http.HandlerFunc {
	local := (&platformOps{}).checkHost(h)
	return func(w http.ResponseWriter, r *http.Request) {
		if !fromHere(r) {
			opsProblem(w, http.StatusForbidden, "forbidden", "this call is taken from this machine only; with a configured admin.token those under /admin/ are taken from elsewhere")
			return
		}
		local.ServeHTTP(w, r)
	}
}

// fromHere tells whether a request comes from this machine: over loopback or a Unix socket.
func fromHere(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err != nil || peer.Addr().Unmap().IsLoopback()
}
