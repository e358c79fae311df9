// Package archtest holds the house to its plan: who may import whom, how long a file may be, and that every package
// says what it is for. The plan is the table in rooms.go; the package's test walks the repository and compares.
//
// Imports are read from the files themselves, whatever their build tags, so that a rule cannot be dodged by one.
package archtest
