package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/dashboard"
)

// roleOps is a role's operations endpoint: metrics, health and profiles, on loopback or a Unix socket. Checks run at
// every /readyz; draining makes it fail first, so that balancers leave before the listener closes.
type roleOps struct {
	reg      *prometheus.Registry
	mux      *http.ServeMux
	checks   []check
	draining atomic.Bool
	measured *measuring
}

type check struct {
	name string
	ok   func(ctx context.Context) error
}

const readyTimeout = 2 * time.Second

func newRoleOps() *roleOps {
	o := &roleOps{reg: prometheus.NewRegistry(), mux: http.NewServeMux(), measured: newMeasuring()}
	o.reg.MustRegister(runtimeGauges(o.measured)...)
	o.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	o.mux.Handle("GET /metrics", promhttp.HandlerFor(o.reg, promhttp.HandlerOpts{}))
	o.mux.HandleFunc("GET "+figuresPath, o.figures)
	o.mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	o.mux.HandleFunc("GET /readyz", o.readyz)
	mountPprof(o.mux, func(h http.HandlerFunc) http.HandlerFunc { return h }, func(w http.ResponseWriter, r *http.Request) { o.measured.profileByHand(w, r) })
	return o
}

// mountPprof adds the profiles behind guard; cpu takes that of the processor.
func mountPprof(mux *http.ServeMux, guard func(http.HandlerFunc) http.HandlerFunc, cpu http.HandlerFunc) {
	mux.HandleFunc("/debug/pprof/", guard(pprof.Index))
	mux.HandleFunc("/debug/pprof/cmdline", guard(pprof.Cmdline))
	mux.HandleFunc("/debug/pprof/profile", guard(cpu))
	mux.HandleFunc("/debug/pprof/symbol", guard(pprof.Symbol))
	mux.HandleFunc("/debug/pprof/trace", guard(pprof.Trace))
}

func (o *roleOps) check(name string, ok func(ctx context.Context) error) {
	o.checks = append(o.checks, check{name, ok})
}

// ready runs the checks; the error names what is not.
func (o *roleOps) ready(ctx context.Context) error {
	if o.draining.Load() {
		return errors.New("draining")
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var errs []error
	for _, c := range o.checks {
		if err := c.ok(ctx); err != nil {
			errs = append(errs, errors.New(c.name+": "+err.Error()))
		}
	}
	return errors.Join(errs...)
}

func (o *roleOps) readyz(w http.ResponseWriter, r *http.Request) {
	if err := o.ready(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// serving is what a balancer in front asks: whether this process takes requests. A database that is down is down for all
// API processes alike; taking every one of them out for it would also end what caches can still answer.
func (o *roleOps) serving(w http.ResponseWriter, _ *http.Request) {
	if o.draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func (o *roleOps) figures(w http.ResponseWriter, _ *http.Request) {
	list, err := dashboard.Export(o.reg)
	if err != nil {
		opshttp.Problem(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	opshttp.WriteJSON(w, http.StatusOK, list)
}

// runtimeGauges are what the dashboard and the alert rules need of a process's runtime.
func runtimeGauges(m *measuring) []prometheus.Collector {
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	return []prometheus.Collector{
		gauge(dashboard.RuntimeGC, "Share of the processor time that collecting garbage takes.", func() float64 { return m.runtime.Read().GCCPU }),
		gauge(dashboard.RuntimeWait, "99th percentile of how long goroutines that could run waited for a processor.", func() float64 { return m.runtime.Read().SchedP99 }),
	}
}

// figuresPath is where a role's process gives the dashboard what it measured.
const figuresPath = "/internal/figures"
