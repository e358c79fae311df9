// Package link is a proxy for TCP and Unix sockets that can behave like a bad network: it delays, jitters, loses, narrows,
// halts and cuts, for all connections of a link or for some of them, in both directions or in one. A [Set] holds the proxies
// of a system by name and has them as faults of package chaos.
//
// # What it promises
//
//   - Without an effect in force, bytes go through at once and in order, half-closed connections stay so, and what either
//     side does to a connection happens to the other.
//   - Bytes are never lost, doubled or put in another order within a connection: like TCP, a lossy link delivers late. An
//     effect that ends lets go at once of what it held up.
//   - A connection holds at most [MaxHeld] bytes for each direction; then the sender has to wait, as with a full window.
//
// # When not to use it
//
// To find out what a datagram's loss does: there are no datagrams here. In front of what is counted in gigabytes a second:
// each byte is copied through this process.
package link
