// Package pg runs PostgreSQL servers as ordinary processes: it finds the programs, makes data
// directories, writes their configuration, starts standbys from them and says when a server answers.
//
// Servers listen on a Unix socket only, in a folder that only their user may enter, and trust whoever
// gets there. It is meant for one machine: a developer's platform and tests. Do not use it to run a
// database that others reach over a network.
package pg
