// Package opshttp is how the processes of a platform talk operations: listeners on addresses and Unix sockets, answers and problems, who
// may call what, and one question put to all of them at once.
package opshttp
