// Package cpushare holds processes to a fixed share of processor time by control groups, version 1 or 2, so that several
// of them can be compared with one of them on a machine that has fewer cores than processes.
package cpushare
