// Package proc starts and watches operating system processes that must not outlive the program that
// started them: servers for a platform on one machine, and throw-away servers for tests.
//
// A Spawner starts children that the kernel (Linux) or a tiny watcher (elsewhere) ends when this process
// dies, however it dies. An Identity names a process beyond its pid, so that a pid which was given to
// somebody else in the meantime is never signalled. A User is whom a server runs as when we are root.
package proc
