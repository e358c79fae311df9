// Package spans remembers what requests spent their time on: for the last ones, and longer for those that were slow or failed, so
// that one can be looked up by its id after somebody has complained about it.
//
// A request is begun with [Begin]; whatever works on it finds it in the context ([From]) and adds a [Span]; [Store.Keep] puts it away
// when it is answered. [Store.Find] finds it by the id of the request or of its trace.
//
// # Promises
//
//   - Memory is bounded: by the number of requests of each [Class], and [MaxSpans] of each.
//   - A span that comes after the request was answered is not lost, nor is it a race: work that goes on in the background may add it.
//   - Recording a request costs two allocations and a lock that nobody holds for longer than it takes to store a pointer.
//
// # When not to use it
//
// This sees one process; whoever wants the whole asks all that a request went through. For sampling, export and services in other
// languages there is OpenTelemetry, which runs beside this when it is configured.
package spans
