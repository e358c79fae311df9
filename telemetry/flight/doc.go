// Package flight keeps the execution trace of the last seconds in memory, and writes it down when something took too long: what
// `go tool trace` then shows is the time before the spike, which nobody would have traced by hand.
//
// A [Recorder] is told how long things took ([Recorder.Observe]); one that took longer than Options.Slow, or a 99th percentile that
// jumped ([Recorder.Watch]), makes it write a file.
//
// # Promises
//
//   - What is written covers at least Options.Window before the trigger, unless Options.Memory did not suffice for it.
//   - Files are bounded in number and bytes, and written at most once in Options.Pause, however many triggers there are.
//   - Observe takes a comparison when nothing is slow, and never waits.
//
// # When not to use it
//
// Tracing costs: some per cent of the processor time of a process that switches goroutines ten thousand times a second and more.
// bench/RESULTS.md has what it costs here. A process has one flight recorder; [Recorder.Run] says so when it is taken.
package flight
