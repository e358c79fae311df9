// Package profile profiles a process all the time, a little, so that what it spent its time on can be looked up afterwards, and
// compared: a minute with another, a deploy with the one before.
//
// A [Profiler] takes a CPU profile of a few seconds and a heap profile each minute into a folder of bounded size. [Archive] reads
// such a folder: it adds profiles of a span of time up ([Archive.Merge]), takes the difference of two ([Archive.Diff]) and makes a
// [Flame] graph, folded stacks or a pprof file of either.
//
// # Promises
//
//   - A profile that somebody takes by hand comes first: through [Profiler.Yield] the running one ends early and keeps what it has.
//   - The folder never holds more than Options.Keep bytes; the oldest go first. Files are whole: they are renamed into place.
//   - Figures are by the second (CPU: processors in use; allocations: bytes a second) or, for what lives, averages, so that spans of
//     different length compare.
//
// # When not to use it
//
// Five seconds of each minute see what is always so, and miss what happens once: for that there is telemetry/flight. Only one
// CPU profile runs in a process at a time; one that is always profiled by another tool needs no second.
package profile
