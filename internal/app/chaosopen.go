package app

import (
	"context"

	"github.com/stampede-shop/stampede/chaos"
)

// openChaos knows all faults, and mends what needs no running platform to be mended: a disk that is full, say.
func (p *platform) openChaos(ctx context.Context) (err error) {
	c := &chaosUp{status: p.status, dir: chaosDir(p.layout.Data.Dir), log: p.log, rules: newChaosRules(p.members, p.log)}
	p.chaos = c
	c.faults.Add(machineFaults(p.layout.Data.Dir, func(context.Context) (Status, error) { return p.status(), nil })...)
	c.faults.Add(c.links.Faults()...)
	c.faults.Add(c.rules.faults()...)
	c.faults.Add(databaseFaults(p.layout)...)
	c.faults.Add(cacheFault(p.layout))
	c.mend(ctx, false)
	if !p.o.Chaos {
		return nil
	}
	c.injector, err = chaos.New(&c.faults, chaos.Options{Dir: c.dir, Log: p.log})
	return err
}
