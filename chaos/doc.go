// Package chaos injects faults into running systems and takes them back.
//
// A [Fault] has a name, a check that tells whether it is possible here, a blast radius, and a plan that says what it will
// touch before it touches anything. An [Injector] injects it and owns it from then on.
//
// # What it promises
//
//   - Whatever is injected is undone: when asked to, when its time is up, when the injector is stopped ([Injector.Stop], the
//     global kill switch) or closed. What cannot be undone at once is tried again until it is.
//   - What will be touched is on disk (a journal, fsynced) before it is touched, so that what a killed process left behind is
//     undone by the next one ([Recover]).
//   - Two faults never hold the same target, so that the order in which faults are undone does not matter: after the last one
//     everything is as it was before the first.
//   - A process is named by its pid and the time of its start: nobody who was given the pid later is ever signalled.
//
// Packages below this one have faults that need nothing but the operating system: process (kill, pause, keep down), link
// (latency, jitter, loss, cut, bandwidth, half-open connections: a proxy for TCP and Unix sockets), pressure (CPU, memory,
// disk), command (whatever two commands do and undo). Package experiment makes experiments of them: steady state, load,
// faults, expectation, verdict.
//
// # When not to use it
//
// On a system that others rely on, before each of its faults was seen to end where nobody does. For faults of the network
// between machines, or of a disk's firmware: nothing here reaches below a process, a socket and a file.
package chaos
