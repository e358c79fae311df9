// Package fleet lets several load generators play one load together, over NATS: one coordinator, and as many agents as are
// wanted, on this machine or on others.
//
// # What it promises
//
//   - The agents' parts together are exactly the load: in an open model each arrival is sent by one of them, in a closed one
//     the shoppers are shared out.
//   - They start together: each is ready, with the shop's catalogue read, before any begins, and all begin the same time
//     after one message. How far apart they are is how differently long that message took.
//   - Histograms are merged, not percentiles: the report is as if one generator had seen it all.
//   - An agent that is lost makes the report invalid, and does not hold up the others. Agents stop when their coordinator
//     is silent for [Silence].
//
// An agent asks any target it is told to: let only those use its NATS server who may make load.
package fleet
