// Package prove measures whether a running platform keeps its promises, and plans what it would take for more.
//
// There are eight criteria, each a value with its target and the measurement that tells it; [Run] goes through them and
// returns a [Report], which is written for the terminal, as a page and as JSON. Nothing is taken for granted: figures come
// from shoppers who check what they are answered, from the processor time that the kernel has counted, from what the
// databases' clients have timed, and the orders that the shop acknowledged are held against those it knows of afterwards.
//
// What is bought are products made for it alone; afterwards orders are cancelled, carts emptied, products deleted.
//
// [Plan] uses the measured costs, and the scalability law fitted to them, to say how many servers a target takes, where its first
// limit is and what it costs.
//
// The package knows a platform by the [Platform] interface alone, so that tests can put one there which breaks each of the
// promises in turn.
package prove
