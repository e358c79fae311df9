package app

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/dashboard"
	"github.com/stampede-shop/stampede/predict/bottleneck"
	"github.com/stampede-shop/stampede/predict/diagnosis"
)

// advisor reads the platform's own metrics once a second, finds in them what is wrong, and foretells which resource will be full first.
type advisor struct {
	gather  func(ctx context.Context) map[string]*dto.MetricFamily
	meter   *resourceMeter
	log     *slog.Logger
	explain *bottleneck.Explainer // nil explains nothing
	acting  *acting               // nil does nothing

	measure func(ctx context.Context) (measuredNow, bool) // nil finds nothing
	signals signalMeter
	signal  *diagnosis.Sample // the last
	doctor  *diagnosis.Doctor

	mu          sync.Mutex
	status      running.AdviceStatus
	explanation map[string]explained // by resource
	bg          sync.WaitGroup
}

// explained is what a language model said of a resource, or that it is being asked.
type explained struct {
	at   time.Time
	text string
}

const (
	adviceEvery    = time.Second
	explainAgain   = 5 * time.Minute
	maxExplanation = 64 // resources whose explanation is kept
)

func newAdvisor(cfg config.Config, log *slog.Logger, gather func(ctx context.Context) map[string]*dto.MetricFamily) *advisor {
	a := &advisor{gather: gather, meter: newResourceMeter(cfg), log: log, explanation: map[string]explained{}, doctor: diagnosis.New(diagnosis.Options{})}
	a.status.Advice = []running.Advice{}
	if e := cfg.Advice.Explain; e.URL != "" {
		a.explain = &bottleneck.Explainer{URL: e.URL, Model: e.Model, Key: e.Key}
	}
	return a
}

// run measures until ctx ends, and returns when nothing of it goes on any more.
func (a *advisor) run(ctx context.Context) {
	defer a.bg.Wait()
	d := bottleneck.New(bottleneck.Options{})
	tick := time.NewTicker(adviceEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s, ok := a.meter.sample(time.Now().UTC(), a.gather(ctx)); ok {
			d.Observe(s)
			a.examine(ctx, s)
			list := adviceOf(a.doctor.Findings(), d.Advice(), s.At)
			a.acting.step(ctx, s.At, list)
			a.meter.slots = a.acting.slots(a.meter.slots)
			a.publish(ctx, s, list)
		}
	}
}

func (a *advisor) publish(ctx context.Context, s bottleneck.Sample, list []running.Advice) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range list {
		list[i].Explained = a.explanation[list[i].Resource].text
	}
	if len(list) > 0 && (len(a.status.Advice) == 0 || a.status.Advice[0].Resource != list[0].Resource) {
		what := "a bottleneck is foretold"
		if list[0].Found {
			what = "a fault is found"
		}
		a.log.Warn(what, "resource", list[0].Resource, "title", list[0].Title, "use", list[0].Use, "seconds", list[0].Seconds,
			"evidence", list[0].Evidence, "command", list[0].Command)
	}
	a.status = running.AdviceStatus{Time: s.At, Advice: list, Sample: &s, Signals: a.signal}
	if a.explain != nil && len(list) > 0 {
		a.ask(ctx, list[0].Advice)
	}
}

// ask has the first advice explained, each resource at most once in explainAgain, and one at a time. The lock is held.
func (a *advisor) ask(ctx context.Context, first bottleneck.Advice) {
	if time.Since(a.explanation[first.Resource].at) < explainAgain || len(a.explanation) >= maxExplanation {
		return
	}
	a.explanation[first.Resource] = explained{at: time.Now()}
	a.bg.Go(func() {
		text, err := a.explain.Explain(ctx, first)
		if err != nil {
			a.log.Warn("advice is not explained", "error", err)
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.explanation[first.Resource] = explained{time.Now(), text}
	})
}

// advise begins to foretell, unless it is off; stop ends it.
func (p *platformOps) advise(ctx context.Context, cfg config.Config, log *slog.Logger) (stop func()) {
	if !cfg.Advice.Enabled {
		return func() {}
	}
	p.advisor = newAdvisor(cfg, log, p.lastFamilies)
	p.advisor.measure = p.measureNow
	p.advisor.acting = newActing(cfg, log, p.turn(cfg.Advice.Act.WarmRate))
	ctx, cancel := context.WithCancel(ctx)
	var bg sync.WaitGroup
	bg.Go(func() { p.advisor.run(ctx) })
	return func() {
		cancel()
		bg.Wait()
	}
}

// lastFamilies are those of the dashboard's figures that the meter reads, by metric: both look at the same, which is asked for once.
func (p *platformOps) lastFamilies(context.Context) map[string]*dto.MetricFamily {
	families := map[string]*dto.MetricFamily{}
	all := p.measured.Load()
	if all == nil {
		return families
	}
	for process, list := range *all {
		for i := range list {
			if !meterReads[list[i].Name] {
				continue
			}
			f := families[list[i].Name]
			if f == nil {
				f = &dto.MetricFamily{Name: &list[i].Name}
				families[list[i].Name] = f
			}
			f.Metric = append(f.Metric, familyMetrics(process, &list[i])...)
		}
	}
	return families
}

func familyMetrics(process string, f *dashboard.Family) []*dto.Metric {
	label := func(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }
	list := make([]*dto.Metric, len(f.Series))
	for i := range f.Series {
		s := &f.Series[i]
		x := &dto.Metric{Label: []*dto.LabelPair{label("process", process)}}
		for j, name := range f.Labels {
			x.Label = append(x.Label, label(name, s.Labels[j]))
		}
		if f.Bounds != nil {
			x.Histogram = &dto.Histogram{SampleCount: &s.Count, SampleSum: &s.Sum}
		} else {
			x.Counter, x.Gauge = &dto.Counter{Value: &s.Value}, &dto.Gauge{Value: &s.Value}
		}
		list[i] = x
	}
	return list
}

// advice answers GET /admin/advice.
func (p *platformOps) advice(w http.ResponseWriter, _ *http.Request) {
	if p.advisor == nil {
		opshttp.Problem(w, http.StatusNotFound, "not-found", "advice is off: set advice.enabled: true")
		return
	}
	p.advisor.mu.Lock()
	st := p.advisor.status
	p.advisor.mu.Unlock()
	st.Acting = p.advisor.acting.status()
	if p.chaos.Takes() {
		st.Injected = p.chaos.Injector.Active()
	}
	opshttp.WriteJSON(w, http.StatusOK, st)
}
