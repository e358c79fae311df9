// Package loadsim is a load simulator for web shops: virtual shoppers who browse, look, fill a cart and buy, and a
// report of how the shop did. It works against anything that speaks the shopper API.
//
// # What it promises
//
//   - A closed model: [Options.Users] shoppers, each doing one thing at a time, for [Options.Duration]. When the shop gets
//     slower it is asked less often; its capacity is what is measured, not the pain of a crowd that does not wait.
//   - Answers are checked, not only counted: a list is a list of products, a cart holds what was put in, an order is
//     confirmed and its total right. Good is the correct answer within [Options.GoodWithin]; an expected 404, 409 or 402
//     is good; 429, 5xx, time-outs and wrong answers are bad and reported by kind with samples.
//   - Memory does not grow with the length of a run: latencies live in HDR histograms, the time series has a bounded
//     number of points.
//   - The same seed makes the same choices (the order in which shoppers interleave is the scheduler's).
//
// # When not to use it
//
// To find the highest request rate of a server that answers trivially: wrk costs less per request. To learn how latency
// behaves when arrivals do not slow down with the shop, one needs an open model, which this package does not have.
package loadsim
