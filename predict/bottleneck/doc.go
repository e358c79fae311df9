// Package bottleneck foretells which resource of a running system will be full first, and when.
//
//	d := bottleneck.New(bottleneck.Options{})
//	d.Observe(sample)                  // once a second
//	for _, a := range d.Advice() { … a.Title, a.When, a.Evidence, a.Command … }
//
// Of each resource it follows the use, 1 being full: of a processor, a pool's connections, a shard, a hot row's lock, a queue's allowed
// length, a replica's allowed lag, a cache's memory. From the last minutes it takes the trend (Theil–Sen, which a third of wild values
// cannot sway) with its 95 % interval, from where the use last changed at a stroke, and how far the trend has to go. Where use follows the load
// (the utilisation law: use = load × demand), it also says at which load the resource is full,
// and, where use bends as the load grows, by the Universal Scalability Law where the knee is, and whether contention or coherency makes it. Values that lie far off are reported
// as anomalies, and shifts by a CUSUM.
//
// # What it promises
//
//   - Nothing is foretold from a trend that noise explains as well, or farther ahead than Options.Horizon or 1.5 times what the trend has
//     lasted; the farther ahead, the longer it has to have been foretold before it is said.
//   - Advice comes ranked, what is full first at the head, each with its evidence, an interval, a confidence and a command.
//   - Memory is bounded: Options.Window samples of at most Options.Resources resources.
//   - The same samples give the same advice. How good it is can be measured on runs whose cause is known ([Evaluate]).
//
// # When not to use it
//
// For what fills at once: a spike that takes a resource from half to full between two samples is not foretold but found. Use that grows
// without meaning (a batch that always ends in time) is foretold as if it went on. It does not know which resource waits for which:
// when several fill at the same time, all are named.
package bottleneck
