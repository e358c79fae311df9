package chaoslab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/experiment"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/compare"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

// Lab is the platform as what experiments are made on.
type Lab struct {
	*Chaos
	Books    func(context.Context, config.Config) (postgres.AuditReport, error) // audits what the configuration leads to
	Progress func(loadsim.Snapshot)                                             // of the load; may be nil
	// Duration is how long loads last instead of what experiments say; 0 is as they say.
	Duration time.Duration
}

var _ experiment.Lab = (*Lab)(nil)

// ErrNotReady says that the platform is not what an experiment needs.
var ErrNotReady = errors.New("the platform is not what the experiment needs")

// needs of an experiment: what a platform has of it, and the flag that makes more.
var needs = map[string]struct {
	flag string
	have func(running.Status) int
}{
	"apis":     {"--apis", func(st running.Status) int { return named(st, "api-") }},
	"clusters": {"--clusters", func(st running.Status) int { return len(st.Clusters) }},
	"redis":    {"--redis-nodes", func(st running.Status) int { return named(st, "redis") }},
	"replicas": {"--replicas", func(st running.Status) int {
		least := 1 << 10
		for _, c := range st.Clusters {
			least = min(least, len(c.Standbys))
		}
		return least
	}},
}

func named(st running.Status, prefix string) (n int) {
	for _, p := range st.Processes {
		if strings.HasPrefix(p.Name, prefix) {
			n++
		}
	}
	return n
}

// Ready implements experiment.Lab.
func (l *Lab) Ready(ctx context.Context, e *experiment.Experiment) error {
	st, err := l.Status(ctx)
	if err != nil {
		return err
	}
	var flags []string
	for name, want := range e.Needs {
		if name == "chaos" {
			if want == "true" && len(l.up.Faults) == 0 {
				flags = append(flags, "--chaos")
			}
			continue
		}
		need, known := needs[name]
		n, err := strconv.Atoi(want)
		if !known || err != nil {
			return fmt.Errorf("%w: needs: %s: %s: there are chaos: true, and numbers of apis, clusters, redis and replicas", experiment.ErrExperiment, name, want)
		}
		if need.have(st) < n {
			flags = append(flags, need.flag+" "+want)
		}
	}
	if len(flags) > 0 {
		slices.Sort(flags)
		return fmt.Errorf("%w: start it with `stampede up %s`", ErrNotReady, strings.Join(flags, " "))
	}
	return l.possible(ctx, e)
}

// possible tells whether all faults that are not optional are.
func (l *Lab) possible(ctx context.Context, e *experiment.Experiment) error {
	list := l.List(ctx)
	for _, s := range e.Faults {
		i := slices.IndexFunc(list, func(f chaos.Info) bool { return f.Name == s.Fault })
		switch {
		case s.Optional:
		case i < 0:
			return fmt.Errorf("%w: %s: `stampede chaos list` has all", chaos.ErrUnknown, s.Fault)
		case !list[i].Available:
			return fmt.Errorf("%w: %s: %s", chaos.ErrUnavailable, s.Fault, list[i].Reason)
		}
	}
	return nil
}

// settlePause is how often is looked whether the platform is whole.
const settlePause = 200 * time.Millisecond

// Settle implements experiment.Lab: every process runs and is ready, and commits go to a standby where there are any.
func (l *Lab) Settle(ctx context.Context) error {
	tick := time.NewTicker(settlePause)
	defer tick.Stop()
	for {
		st, err := l.Status(ctx)
		if err == nil {
			err = st.Whole()
		}
		if err == nil {
			_, err = opshttp.Get(ctx, st.Ops, "/readyz")
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// Inject implements experiment.Lab.
func (l *Lab) Inject(ctx context.Context, s experiment.Step) (func(context.Context) error, error) {
	undo, err := l.Chaos.Inject(ctx, chaos.Request{Fault: s.Fault, Params: s.With, For: s.For + s.For/2}) // it is undone here, before
	return undo, err
}

// Audit implements experiment.Lab.
func (l *Lab) Audit(ctx context.Context) (wrong []string, err error) {
	cfg, err := running.FindConfig(l.data, "")
	if err != nil {
		return nil, err
	}
	r, err := l.Books(ctx, cfg)
	if err != nil {
		return nil, err
	}
	for _, rule := range r.Rules {
		for _, v := range rule.Violations {
			wrong = append(wrong, fmt.Sprintf("%s: %s: %s", rule.Name, v.Subject, v.Detail))
		}
	}
	return wrong, nil
}

// Compare implements experiment.Lab.
func (l *Lab) Compare(without, with experiment.Load) ([]experiment.Change, error) {
	a, b := without.(*shoppers), with.(*shoppers) // made by Prepare
	r, err := compare.Reports(a.Report, b.Report, compare.Options{})
	if errors.Is(err, compare.ErrTooShort) {
		return nil, nil // nothing can be told, which holds no expectation
	}
	if err != nil {
		return nil, err
	}
	var list []experiment.Change
	for _, m := range r.Metrics {
		c := experiment.Change{Metric: m.Name, Without: m.A, With: m.B, Change: m.Change, Low: m.Low, High: m.High, Proven: m.Verdict != compare.NoProof}
		if m.Step != "" && m.Step != allSteps {
			c.Metric += "(" + m.Step + ")"
		}
		if c.Share = m.Name == "error_rate"; c.Share {
			c.Metric, c.Without, c.With = "success_rate", 1-m.A, 1-m.B
			c.Change, c.Low, c.High = 0-m.Change, 0-m.High, 0-m.Low // not -0
		}
		list = append(list, c)
	}
	return list, nil
}

// loadSpec is what an experiment says of its load, in the words of `stampede load`.
type loadSpec struct {
	Scenario string        `yaml:"scenario"`
	Users    int           `yaml:"users"`
	Rate     float64       `yaml:"rate"`
	Profile  string        `yaml:"profile"`
	Duration time.Duration `yaml:"duration"`
	Think    time.Duration `yaml:"think"`
	Seed     uint64        `yaml:"seed"`
}

// Prepare implements experiment.Lab.
func (l *Lab) Prepare(ctx context.Context, node *yaml.Node) (experiment.Player, error) {
	var spec loadSpec
	if err := decodeStrictly(node, &spec); err != nil {
		return nil, fmt.Errorf("%w: load: %w", experiment.ErrExperiment, err)
	}
	sc, err := scenario.Find(spec.Scenario)
	if err != nil {
		return nil, fmt.Errorf("%w: load: %w", experiment.ErrExperiment, err)
	}
	st, err := l.Status(ctx)
	if err != nil {
		return nil, err
	}
	if l.Duration > 0 {
		spec.Duration = l.Duration
	}
	p := &crowdPlayer{progress: l.Progress}
	p.runner, err = loadsim.Prepare(ctx, loadsim.Options{Target: st.URL, Scenario: &sc, Users: spec.Users, Rate: spec.Rate, Profile: spec.Profile,
		Duration: spec.Duration, Think: spec.Think, Seed: spec.Seed, Progress: p.tick})
	return p, err
}

// decodeStrictly refuses what it does not know.
func decodeStrictly(node *yaml.Node, into any) error {
	raw, err := yaml.Marshal(node)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(strings.NewReader(string(raw)))
	dec.KnownFields(true)
	return dec.Decode(into)
}
