// Package pressure has faults that take away what a machine has: processor time, memory, room on a disk. All are bounded: a
// machine is never left without what it needs to take the fault back.
//
// Processor and memory are taken by a process of its own ([Serve]), which ends when its parent does, however that ends.
package pressure
