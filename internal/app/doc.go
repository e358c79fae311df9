// Package app wires everything: the configuration, the table of roles (edge, api, worker, nats), their
// dependencies, the order in which they start and stop, and `up`, which runs all of them on one machine.
//
// Only cmd/stampede and test/e2e import it.
package app
