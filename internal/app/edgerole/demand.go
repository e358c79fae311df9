package edgerole

import (
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/warming"
)

// edgeDemand counts what an edge is asked for: its hits never reach an API process. nil counts nothing.
type edgeDemand struct{ tally *warm.Tally }

const (
	demandWindow = 30 * time.Second
	demandKeys   = 8192
	demandSample = 8
)

func newEdgeDemand() *edgeDemand {
	return &edgeDemand{warm.NewTally(demandKeys, demandWindow, demandSample)}
}

// addDemand counts, where there is a cache in front of our own API, whatever is let in.
func (n *Node) addDemand(o *edge.Options) {
	if o.Cache == nil || n.cfg.Profile != config.ProfileShop {
		return
	}
	n.demand = newEdgeDemand()
	o.Admission = append(o.Admission, n.demand.wrap)
	if admit := o.Admit; admit != nil {
		o.Admit = func(v *edge.Visit) bool {
			if !admit(v) {
				return false
			}
			n.demand.hit(v.Method, v.Target, v.Lines)
			return true
		}
	}
}

// hit counts a request that was answered straight from the connection. lines gives the values of a request header; nothing that is
// passed is kept.
func (d *edgeDemand) hit(method, target string, lines func(name string) []string) {
	if method == http.MethodGet && d.tally.Sampled() && warming.Warmable(target) && len(lines(warming.Header)) == 0 {
		d.tally.Add(target)
	}
}

// wrap counts all other requests on their way to next.
func (d *edgeDemand) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.hit(r.Method, r.RequestURI, r.Header.Values)
		next.ServeHTTP(w, r)
	})
}

// route tells, where there is something to tell.
func (d *edgeDemand) route(mux *http.ServeMux) {
	if d != nil {
		mux.HandleFunc("GET "+warming.DemandPath, func(w http.ResponseWriter, _ *http.Request) { opshttp.WriteJSON(w, http.StatusOK, d.tally.Report()) })
	}
}
