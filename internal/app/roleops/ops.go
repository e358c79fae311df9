package roleops

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

// Ops is a role's operations endpoint: metrics, health and profiles, on loopback or a Unix socket. Checks run at
// every /readyz; draining makes it fail first, so that balancers leave before the listener closes.
type Ops struct {
	Reg      *prometheus.Registry
	Mux      *http.ServeMux
	checks   []check
	Draining atomic.Bool
	Measured *Measuring
}

type check struct {
	name string
	ok   func(ctx context.Context) error
}

const readyTimeout = 2 * time.Second

// New makes the endpoint; who runs the role adds checks and serves it.
func New() *Ops {
	o := &Ops{Reg: prometheus.NewRegistry(), Mux: http.NewServeMux(), Measured: NewMeasuring()}
	o.Reg.MustRegister(runtimeGauges(o.Measured)...)
	o.Reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	o.Mux.Handle("GET /metrics", promhttp.HandlerFor(o.Reg, promhttp.HandlerOpts{}))
	o.Mux.HandleFunc("GET "+FiguresPath, o.figures)
	o.Mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	o.Mux.HandleFunc("GET /readyz", o.readyz)
	MountPprof(o.Mux, func(h http.HandlerFunc) http.HandlerFunc { return h }, func(w http.ResponseWriter, r *http.Request) { o.Measured.profileByHand(w, r) })
	return o
}

// MountPprof adds the profiles behind guard; cpu takes that of the processor.
func MountPprof(mux *http.ServeMux, guard func(http.HandlerFunc) http.HandlerFunc, cpu http.HandlerFunc) {
	mux.HandleFunc("/debug/pprof/", guard(pprof.Index))
	mux.HandleFunc("/debug/pprof/cmdline", guard(pprof.Cmdline))
	mux.HandleFunc("/debug/pprof/profile", guard(cpu))
	mux.HandleFunc("/debug/pprof/symbol", guard(pprof.Symbol))
	mux.HandleFunc("/debug/pprof/trace", guard(pprof.Trace))
}

// Check adds a condition of readiness.
func (o *Ops) Check(name string, ok func(ctx context.Context) error) {
	o.checks = append(o.checks, check{name, ok})
}

// ready runs the checks; the error names what is not.
func (o *Ops) ready(ctx context.Context) error {
	if o.Draining.Load() {
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

func (o *Ops) readyz(w http.ResponseWriter, r *http.Request) {
	if err := o.ready(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// Serving is what a balancer in front asks: whether this process takes requests. A database that is down is down for all
// API processes alike; taking every one of them out for it would also end what caches can still answer.
func (o *Ops) Serving(w http.ResponseWriter, _ *http.Request) {
	if o.Draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func (o *Ops) figures(w http.ResponseWriter, _ *http.Request) {
	list, err := dashboard.Export(o.Reg)
	if err != nil {
		opshttp.Problem(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	opshttp.WriteJSON(w, http.StatusOK, list)
}

// runtimeGauges are what the dashboard and the alert rules need of a process's runtime.
func runtimeGauges(m *Measuring) []prometheus.Collector {
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	return []prometheus.Collector{
		gauge(dashboard.RuntimeGC, "Share of the processor time that collecting garbage takes.", func() float64 { return m.runtime.Read().GCCPU }),
		gauge(dashboard.RuntimeWait, "99th percentile of how long goroutines that could run waited for a processor.", func() float64 { return m.runtime.Read().SchedP99 }),
	}
}

// FiguresPath is where a role's process gives the dashboard what it measured.
const FiguresPath = "/internal/figures"
