// Package limit keeps clients from asking for more than their share: request limits by address and session, bounds on
// what a request may be, and a minimum speed for bodies.
//
// # What it promises
//
//   - Of one client, never more than burst + rate × t requests of a class pass in any time t, on one edge. Refusals
//     cost nothing of the limit: who waits as long as Retry-After says is admitted.
//   - Memory is bounded by [Options.MaxClients]. A client that is over its limit is not forgotten in favour of
//     others, however many come; those who come new while a part of the table is busy start with the least debt of
//     those in it.
//   - The client is the connection's peer, or what trusted proxies say it is, read from the right; anybody else's
//     X-Forwarded-For counts for nothing. An IPv6 client is its /64 network.
//   - An admitted request costs no allocation and one or two short locks of a table of many.
//   - Time is the monotonic clock; a clock that steps back only stands still.
//
// Refusals are 429 with application/problem+json and Retry-After. Answers carry RateLimit and RateLimit-Policy
// (draft-ietf-httpapi-ratelimit-headers), for the tighter of the two limits that apply.
//
// # When not to use it
//
// Several edges limit each on its own: behind N of them a client gets up to N times its share. Against floods that
// fill the line itself nothing helps that runs at its end. And limits are no admission control: for a rush of honest
// shoppers use a waiting room.
package limit
