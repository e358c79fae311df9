// Package batch is group commit as a library: callers that want the same kind of thing at the same time share one call.
//
// A [Batcher] gathers what is submitted under a key (a shard, say) and hands it to [Options.Run] in one piece, which
// does it all in one statement, one transaction, one flush. An idle key runs a request at once; while a call is under
// way the next batch gathers behind it, so batches grow with the load by themselves, as in a database's group commit.
// A further wait for company ([Options.MaxLinger]) is taken only when measured arrivals and run times say that it pays.
//
// # Promises
//
//   - Every Submit that is accepted gets exactly one outcome, its own, whatever happens to the batch it was in.
//   - Within a key requests start in the order in which they came (only [Options.Apart] holds one back); a batch never
//     exceeds [Options.MaxSize] and a key never has more than [Options.Parallel] batches under way.
//   - A request whose context ends while it is queued is taken out and never run. One that ends while its batch runs
//     returns the context's error; the batch goes on and the outcome goes to [Options.OnOrphan].
//   - A request that makes the batch fail fails alone: the batch is halved until the culprit is found. What was rolled
//     back ([Options.Retryable]) runs again, a bounded number of times.
//   - Nothing is run twice whose first run may have taken effect, unless [Options.Idempotent] allows it: its callers
//     get [ErrUnknown].
//   - Queues are bounded per key; keys without work let go of their goroutine; a panic in Run reaches the callers as a
//     [*PanicError] and nobody else.
//
// # When not to use it
//
// Where one call at a time is not the limit, a batch only adds a hop. Requests that must not see each other's effects,
// or that take locks in an order of their own, do not belong into one transaction. Run has to answer each request
// separately: a statement that can only succeed or fail as a whole turns every poison request into log(n) retries.
package batch
