// Package waitroom gives shoppers a place in a fair queue when more of them come than can be served: for the shop as a
// whole while demand exceeds what it can do, and for what goes on sale at a certain time.
//
// # What it promises
//
//   - First come, first served: places are numbered as they are given, and admitted in that order.
//   - A place is a cookie, signed and bound to the session: it cannot be made up, moved forward, or used by another session.
//     Of who waits four bytes are kept, so a million may.
//   - It survives a reload, and a restart of the edge: the two numbers that matter, of the last place given and of the last
//     one admitted, are in a [Store]. Edges that share one share the queue.
//   - Shoppers are admitted at the rate that the platform sustains: it begins at what it was seen to sustain, grows while [Options.Load]
//     says that there is room and those who were let in have come, and shrinks when there is none.
//   - Who waits is told when to look again, the sooner the nearer their turn. Who does not is gone: their turn costs a quarter of one, and
//     less the longer they are missing.
//   - Who waits for what is sold out is told at once.
//   - Those who were shopping when the shop as a whole began to queue go on without a place.
//
// # When not to use it
//
// It holds back the requests that it is told to hold back; what must not be skipped by another way, such as a product that was
// put into a cart before, has to be refused further in: [Rooms.Hold] names the rooms that a session is not admitted to.
// Who makes many sessions gets many places; limit how fast they can be made.
//
// A place that was admitted is good for [Options.TTL]; after a restart of the only edge, for as long again. Someone who
// signs in becomes another session and gets a new place: sign in before.
package waitroom
