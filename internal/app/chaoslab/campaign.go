package chaoslab

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/experiment"
	"github.com/stampede-shop/stampede/chaos/link"
	"github.com/stampede-shop/stampede/chaos/pressure"
	"github.com/stampede-shop/stampede/chaos/process"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/local"
)

// CampaignOptions say what a random experiment is to be.
type CampaignOptions struct {
	Seed    uint64
	Length  time.Duration
	Users   int
	Least   string   // share of the answers that have to be good, like 99%
	Without []string // faults that are left out
}

// Folder is where journals and reports are.
func (c *Chaos) Folder() string { return Dir(c.data) }

// Campaign makes a random experiment of what is possible on this platform.
func (c *Chaos) Campaign(ctx context.Context, o CampaignOptions) (*experiment.Experiment, error) {
	st, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	menu := slices.DeleteFunc(c.menu(st), func(m experiment.Choice) bool {
		return slices.Contains(o.Without, m.Fault) || !c.offers(ctx, m.Fault)
	})
	steps, err := experiment.RandomFaults(o.Seed, o.Length, menu)
	if err != nil {
		return nil, err
	}
	load := loadSpec{Scenario: "journey", Users: o.Users, Duration: o.Length, Think: 20 * time.Millisecond, Seed: o.Seed}
	e := &experiment.Experiment{Name: fmt.Sprintf("campaign-%d", o.Seed), About: fmt.Sprintf("Random faults of seed %d for %v.", o.Seed, o.Length), Faults: steps,
		Recovery: 2 * time.Minute}
	if err := e.Load.Encode(load); err != nil {
		return nil, err
	}
	whole, err := experiment.ParseCondition("success_rate >= " + o.Least)
	if err != nil {
		return nil, err
	}
	steady, err := experiment.ParseCondition("success_rate >= 99.9%")
	e.Expect.Whole, e.Steady = []experiment.Condition{whole}, []experiment.Condition{steady}
	return e, err
}

func (c *Chaos) offers(ctx context.Context, fault string) bool {
	return slices.ContainsFunc(c.List(ctx), func(f chaos.Info) bool { return f.Name == fault && f.Available })
}

// menu is what random experiments choose from: each component, each link, each fault that has an end.
func (c *Chaos) menu(st running.Status) (menu []experiment.Choice) {
	add := func(fault string, with ...string) {
		params := map[string]string{}
		for i := 0; i+1 < len(with); i += 2 {
			params[with[i]] = with[i+1]
		}
		menu = append(menu, experiment.Choice{Fault: fault, With: params})
	}
	for _, p := range st.Processes {
		add(process.KillFault, "target", p.Name)
		if !slices.ContainsFunc(st.Clusters, func(c local.ClusterStatus) bool { return c.Primary == p.Name }) { // nobody can tell one that hangs from one that is busy
			add(process.PauseFault, "target", p.Name)
		}
	}
	for _, l := range c.Links() {
		add(link.SlowFault, "link", l, "latency", "20ms", "jitter", "20ms")
		add(link.LossFault, "link", l, "loss", "2%")
		add(link.CutFault, "link", l, "share", "0.5")
		add(link.HalfOpenFault, "link", l, "share", "0.2")
	}
	for _, c := range st.Clusters {
		add(diskSlowFault, "target", c.Primary)
		for _, name := range c.Standbys {
			add(replicaPauseFault, "target", name)
		}
	}
	add(cacheFlushFault, "every", "1s")
	add(paymentFault, "share", "0.3")
	add(paymentFault, "share", "0.3", "outcome", "late")
	add(clockFault, "by", "10m")
	add(pressure.CPUFault, "workers", "1", "share", "0.5")
	return menu
}
