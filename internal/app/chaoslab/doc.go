// Package chaoslab makes a platform what chaos experiments are made on: the faults of its servers, roles, links and clients, the part of
// `up` that injects and undoes them, and the laboratory that `stampede chaos` runs experiments in.
package chaoslab
