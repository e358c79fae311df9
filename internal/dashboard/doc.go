// Package dashboard is the operations page of a platform: what every process measures, gathered each second, turned into
// the figures a person watches, kept for an hour, and drawn in a browser.
//
// The parts, from the processes to the page: each role answers with what [Export] takes from its metrics registry; a
// [Collector] asks all of them every second and computes a [Snapshot] from the differences; [History] keeps the figures
// that are one number; [Handler] serves the page, which gets snapshots as server-sent events.
//
// One collector serves any number of viewers, and without viewers its cost is what it takes to ask. Figures are those of
// the last two seconds, percentiles those of the last ten.
package dashboard
