// Package wire is the part of HTTP/1.1 that a load generator needs: requests and answers over kept connections, one after
// another, with the body left in the connection's own buffer. It costs about a third of what net/http's Transport costs a
// request (two goroutines a connection, a header map and a body reader a request), which decides how much load one core
// makes; BenchmarkClient compares them.
//
// It has no redirects, no proxies, no compression, no HTTP/2 and no pipelining. Whoever needs these hands the simulator a
// Transport.
package wire
