// Package plan reads query plans that PostgreSQL 9.6 and later print as JSON or as text, and works out where their time went.
//
// [Parse] takes what people have at hand: the answer to EXPLAIN with or without ANALYZE and BUFFERS, in the format JSON (an array,
// an object, or as psql shows it) or text, and logs of auto_explain (text, CSV or JSON). Fields and nodes that it does not know are kept in
// [Node.Extra] and never an error.
//
// Times of a node in a plan are averages over its loops and hold those of its children. [Node.Self] is what is left when all that is
// put right: loops, workers that ran at the same time, init plans and CTEs, whose time is counted by whoever reads them first. Plans
// without times are judged by their estimated cost.
package plan
