// Package edge is the node that shoppers talk to: an HTTP/1.1 reverse proxy that spreads requests over several origins
// and hides their deaths.
//
// # What it promises
//
//   - Least request of two: of two random healthy origins the one with fewer requests in flight gets the next.
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
// It terminates neither TLS nor HTTP/2, and it stores nothing. For a plain file server or a single origin without
// failover, net/http alone is less machinery.
package edge
