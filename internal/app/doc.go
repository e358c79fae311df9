// Package app wires everything: the table of roles (edge, api, worker, nats), their dependencies, the order in which they start and
// stop, and `up`, which runs all of them on one machine. Below it are config, what a platform can be told; opshttp, how processes talk
// operations; running, a platform as commands see it; querydb, its databases to look at; chaoslab, its faults; and the parts of roles: roleops,
// governor, warming and edgerole.
//
// Only cmd/stampede and test/e2e import it and what is below it.
package app
