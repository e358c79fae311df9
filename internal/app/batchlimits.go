package app

import (
	"net/http"
	"strings"

	"github.com/stampede-shop/stampede/edge/limit"
	"github.com/stampede-shop/stampede/internal/app/edgerole"
)

// batchLimits are what each call of a batch passes, as the edge sees the batch alone. Every API process counts by itself.
func (s *stack) batchLimits() (func(http.Handler) http.Handler, error) {
	l, err := limit.New(limit.Options{Mode: limit.Mode(s.cfg.Edge.Limits), NoHeaders: true, Registerer: s.reg, Log: s.log})
	if err != nil {
		return nil, err
	}
	scalpers, err := edgerole.BatchScalpers(s.cfg, s.reg)
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		limited := l.Wrap(scalpers(next))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ","); first != "" { // the edge has dropped what it does not believe
				as := *r
				as.RemoteAddr = strings.TrimSpace(first)
				r = &as
			}
			limited.ServeHTTP(w, r)
		})
	}, nil
}
