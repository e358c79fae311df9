// Package sqltext looks at the text of SQL statements as PostgreSQL's scanner would: strings, comments, quoted names and parameters
// are told apart, so that a word in a comment is no keyword.
//
// It answers what can be known without the grammar: how many statements there are ([Split]), whether one only reads ([KindOf]),
// whether its result is bounded ([Limited]), and which statements are the same but for their values ([Fingerprint]). [ParseExpr] reads
// the conditions that plans show.
//
// Do not take KindOf for a guard: a function that a SELECT calls may write. Run statements in a read-only transaction.
package sqltext
