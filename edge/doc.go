// Package edge is the node that shoppers talk to, a CDN in a library: an HTTP cache with purging in front of a reverse proxy
// that spreads requests over several origins and hides their deaths.
//
// # What it promises
//
//   - With Options.Cache, what origins allow to be shared is kept and served as package httpcache says, purged by surrogate
//     key or address on every edge before [Edge.Purge] returns, on disk too if wanted.
//   - Plain hits over HTTP/1.1 are answered straight from the connection, without net/http, several times as fast; whatever
//     is not plain beyond doubt goes through net/http, as do HTTP/2 and TLS. Both paths give the same answers.
//   - The way of a request: admission, cache, middleware (such as a WAF), balancer. Hits pass admission only.
//   - Least request of two: of two random healthy origins the one with fewer requests in flight gets the next. One that
//     is new or back gets less at first. Where asked, a shopper stays with one origin.
//   - An origin that refuses connections is out at once, one whose health check fails shortly after; both are back as
//     soon as a health check succeeds. When none is left, requests wait a moment for one before they get a 503.
//   - A GET, HEAD or OPTIONS that got no complete answer is sent to another origin. Any request whose connection could not
//     be made is, too. Other methods are repeated only where [Options.RetryUnsafe] says so: every request carries a
//     unique Stampede-Op header, the same in each attempt, by which an origin can recognise a repetition.
//   - Repetitions stay within a budget, so that a sick origin is not buried under them.
//   - Every wait has an end: headers, bodies, origins, slow readers, draining. Failures are application/problem+json.
//   - Headers that the platform itself relies on cannot be smuggled in from outside nor leak out; see [Edge.ServeHTTP].
//
// # When not to use it
//
// It speaks no HTTP/3, and HTTP/1.1 to its origins. Over TLS hits go through net/http and are slower. For a plain file
// server or a single origin without failover or caching, net/http alone is less machinery.
//
// A CDN node of its own is in examples/cdn.
package edge
