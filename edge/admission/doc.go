// Package admission keeps a service at the load that it carries best: it bounds how many requests are under way at once by
// what their latency says, lets the important ones in first, and refuses the rest at once, while there is still time to
// come back.
//
// # What it promises
//
//   - Never more requests under way than the limit of the moment; the limit stays within [Options.Min] and [Options.Max].
//   - The limit grows while it is used up and requests take no longer than is comfortable, and shrinks when they do. What
//     is comfortable is learnt for each class: twice what it takes when there is no rush, but at least [Options.Target]
//     and at most [Options.Ceiling].
//   - Whoever finds no place waits in a bounded queue, for a bounded time: [Checkout] before [Cart] before [Browse]. [Crawl]
//     never waits, and takes at most three quarters of the places.
//   - The queue is as short as it can be served in time ([Options.Ahead]), by how fast places are given out: who would wait in vain is
//     refused at once. A service that stands still for a moment is waited for, as long as patience lasts.
//   - Within a class the first request of a client comes before the second of another: somebody who asks five hundred
//     times at once delays mostly themselves. A client that is alone may have everything.
//   - When some were refused lately, nobody knows how fast places are given out, and the oldest of a queue have waited for half of their
//     patience, the newest go first (adaptive LIFO): those who waited longest are the least likely to be still there.
//   - Before that, who is known ([Options.Known]) comes before who has just come: a purchase takes several requests, and it is
//     better to let some finish than all begin.
//   - Latency is what the service says that it took ([Options.Took]), if it does: this process's own waits for a processor are none
//     of its doing. While those are long, [Limiter.Guard] refuses requests before anything was spent on them.
//   - Patience is halved once requests have been refused for a second, and no longer than [Options.Ahead].
//   - A lower class that waits gets every sixteenth place, so that the shop can still be looked at during a rush of buyers.
//   - A place is never lost: it comes back when the answer begins, or the handler ends, panics included.
//
// # When not to use it
//
// It reacts to latency, so it cannot protect what fails without becoming slower, and it knows one service: put one in front
// of each. It is no rate limit (see edge/limit) and no waiting room (edge/waitroom), which it can feed: [Limiter.Stats] says
// how much room is left.
package admission
