// Package flight keeps the execution trace of the last seconds in memory, and writes it down when something took too long: what
// `go tool trace` then shows is the time before the spike, which nobody would have traced by hand.
//
// A [Recorder] is told how long things took ([Recorder.Observe]); one that took longer than Options.Slow, or a 99th percentile that
// jumped ([Recorder.Watch]), makes it write a file.
//
// Recording costs about half a microsecond each time that a goroutine gets a processor. A process in which that happens less than
// Options.Busy times a second is recorded all the time. In one that is busier recording begins with the first sign of trouble: answers
// that take twice as long as usual, or half as many of them; on average no more is recorded than of a process that is just not busy.
//
// # Promises
//
//   - What is written covers at least Options.Window before the trigger, unless Options.Memory did not suffice for it, or recording
//     began later than that: then it covers Options.Window from then on, and Reason.Since says when that was.
//   - Files are bounded in number and bytes, and written at most once in Options.Pause, however many triggers there are.
//   - Observe takes a comparison when nothing is slow, and never waits.
//
// # When not to use it
//
// In a busy process a spike that nothing announces is recorded from its end on: who needs each of them, sets Options.Busy high and pays
// some per cent of the processor time. bench/RESULTS.md has what it costs here. A process has one flight recorder; [Recorder.Run] says so
// when it is taken.
package flight
