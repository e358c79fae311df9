// Package local runs a whole platform's servers on one machine: PostgreSQL (a primary, streaming
// replicas, the catalogue's and the shards' databases), Redis, and, through a Supervisor, any other
// process such as our own roles.
//
// Open takes hold of a data folder and says what is to run there and where to reach it (Layout); a
// Supervisor runs it: starts what nothing needs first, restarts what dies, stops in reverse order.
// Whatever is killed, or all of it at once, the next Open cleans up after it and the next start
// recovers. Several platforms live side by side in folders of their own.
//
// It is meant for one machine and one user: connections are trusted, because only that user gets to
// the sockets. Use the roles by themselves, with servers run by other means, in production.
package local
