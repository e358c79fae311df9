// Package loadsim is a load simulator for web shops: virtual shoppers who browse, look, fill a cart and buy, and a
// report of how the shop did. It works against anything that speaks the shopper API.
//
// # What it promises
//
//   - A closed model, [Options.Users] shoppers who do one thing at a time: when the shop gets slower it is asked less often,
//     so its capacity is what is measured. And an open one, [Options.Rate] arrivals a second: they come by the clock,
//     however the shop does, and response times count from when a request was due, so that a shop which holds requests
//     up cannot hide it by holding up the generator (no coordinated omission).
//   - Answers are checked, not only counted: a list is a list of products, a cart holds what was put in, an order is
//     confirmed and its total right. Good is the correct answer within the scenario's limit; an expected 404, 409 or 402
//     is good; 429, 5xx, time-outs and wrong answers are bad and reported by kind with samples. A place in the waiting
//     room (any answer that is a JSON object with position and admitted, as GET /queue has) is neither, and counted
//     apart; whoever has one waits and asks again.
//   - Shoppers have cookies, patience, and manners: they come back when Retry-After says so.
//   - A generator that cannot keep up says so: how late it acts is measured, and a report that is coloured by it is
//     marked as not valid, with the reason.
//   - Memory does not grow with the length of a run: latencies live in HDR histograms, the time series has a bounded
//     number of points. A shopper takes about 12 KiB, a connection of its own 5 KiB more.
//   - The same seed makes the same choices and arrivals (the order in which shoppers interleave is the scheduler's).
//
// What shoppers do and how many come when is a scenario: see package scenario, which has ready ones. Packages around this
// one draw reports (report), compare them (compare), hold them against conditions (threshold), show a run while it lasts
// (tui), and let several generators play one load (fleet).
//
// # When not to use it
//
// To find the highest request rate of a server that answers trivially: wrk costs less per request, because it does not look
// at the answers. For HTTP/2, unless by an own [Options.Transport]. From one machine, for more connections than it lets a
// process open.
package loadsim
