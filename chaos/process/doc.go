// Package process has faults of processes, supervised by somebody else: kill, pause, keep down. A process is meant by pid and
// time of start, so that a number that was given to somebody else since hits nobody.
package process
