// Package find looks through a plan for what makes a statement slow, and says what to do about it.
//
// A [Finding] names the node, the evidence in figures of the plan, the share of the statement's time that is at stake, and a fix: SQL to
// run, or what to change in the query. Thresholds ([Options]) are such that a healthy plan gives none; a finding is worth reading.
//
// A schema is optional. With it, fixes know what indexes and types there are; without, they say "if there is none yet".
//
// [Plan] looks at one plan, [Repeated] at the statements of a request: the same one many times over is a loop in the program.
package find
