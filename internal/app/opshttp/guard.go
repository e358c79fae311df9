package opshttp

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/stampede-shop/stampede/internal/app/config"
)

// AdminOnly guards the calls of a role's own operations endpoint that change something or tell more than metrics: they need
// the admin token, or, where none is configured, have to be made on this machine, and by no page in a browser here.
func AdminOnly(cfg config.Config, h http.HandlerFunc) http.HandlerFunc {
	if token := cfg.Admin.Token; token != "" {
		return func(w http.ResponseWriter, r *http.Request) {
			given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok || subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
				w.Header().Set("WWW-Authenticate", `Bearer realm="stampede"`)
				Problem(w, http.StatusUnauthorized, "unauthorized", "the admin token is needed: send Authorization: Bearer")
				return
			}
			h(w, r)
		}
	}
	return HereOnly(h)
}

// HereOnly guards calls that are made on this machine: by `up`, or by an operator.
func HereOnly(h http.HandlerFunc) http.HandlerFunc {
	local := CheckHost("", h)
	return func(w http.ResponseWriter, r *http.Request) {
		if !fromHere(r) {
			Problem(w, http.StatusForbidden, "forbidden", "this call is taken from this machine only; with a configured admin.token those under /admin/ are taken from elsewhere")
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

// ForeignOrigin refuses what a page of another site has asked for.
func ForeignOrigin(w http.ResponseWriter, _ *http.Request) {
	Problem(w, http.StatusForbidden, "forbidden", "this call was made by a page of another site: make it from these pages, or by a program")
}

// CheckHost refuses names that only DNS rebinding would bring here, and pages of other sites, whatever the method.
// Name is the one that is listened on besides loopback, "" for none.
func CheckHost(name string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if bare, _, err := net.SplitHostPort(host); err == nil {
			host = bare
		}
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil && host != "localhost" && host != "local" && (name == "" || !strings.EqualFold(host, name)) {
			Problem(w, http.StatusForbidden, "forbidden", "the Host header must be localhost or an address")
			return
		}
		if !sameOrigin(r) {
			ForeignOrigin(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
