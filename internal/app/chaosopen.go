package app

import (
	"context"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/internal/app/chaoslab"
	"github.com/stampede-shop/stampede/internal/app/running"
)

// openChaos knows all faults, and mends what needs no running platform to be mended: a disk that is full, say.
func (p *platform) openChaos(ctx context.Context) (err error) {
	c := &chaoslab.Mender{Status: p.status, Dir: chaoslab.Dir(p.layout.Data.Dir), Log: p.log, Rules: chaoslab.NewRules(p.members, p.log)}
	p.chaos = c
	c.Faults.Add(chaoslab.MachineFaults(p.layout.Data.Dir, func(context.Context) (running.Status, error) { return p.status(), nil })...)
	c.Faults.Add(c.Links.Faults()...)
	c.Faults.Add(c.Rules.Faults()...)
	c.Faults.Add(chaoslab.DatabaseFaults(p.layout)...)
	c.Faults.Add(chaoslab.CacheFault(p.layout))
	c.Mend(ctx, false)
	if !p.o.Chaos {
		return nil
	}
	c.Injector, err = chaos.New(&c.Faults, chaos.Options{Dir: c.Dir, Log: p.log})
	return err
}
