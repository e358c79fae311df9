// Package alert decides from figures whether somebody has to be told, and tells them.
//
// An [Engine] is given a flat set of samples again and again ([Engine.Observe]) and judges them by rules. A [Rule] says what
// has to hold ([Threshold], [Anomaly] or [Burn]) and for how long. An alert is pending until its condition has held that
// long, fires until the condition has been gone for the rule's recovery time, and is then resolved. What changes is told
// by group to [Notifier]s ([Webhook], [Slack], [Mail]) through a [Dispatcher].
//
// # Promises
//
//   - An alert fires only when its condition held at every observation for the whole of For, and resolves only when it was
//     gone for the whole of Recovery: a figure that swings around its limit neither fires nor resolves anything.
//   - What is not known is no reason to fire. A firing alert whose samples stop coming resolves after Options.Stale and says so.
//   - Nobody is told twice of the same: only that an alert began, that it ended, and after Options.Repeat that it still is.
//   - Memory is bounded: by rules, Options.History and the queues of the dispatcher, which drop the oldest.
//   - The clock is the one of the samples: what was observed in an hour can be replayed in a second.
//
// # When not to use it
//
// One Engine judges one service, in one process, and forgets when that ends. Where several must agree, or alerts must
// survive the machine they are about, let Prometheus scrape /metrics and use the rules in deploy/prometheus.
package alert
