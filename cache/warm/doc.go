// Package warm brings into caches what will be asked for, before it is: after a start, before a campaign, or when told to. It works
// with any cache: a [Tier] is a name and a function that makes sure that keys are there.
//
//	w, err := warm.New(warm.Options{}, warm.NewTier("memory", fill))
//	…
//	w.Seen(key)                     // on every read
//	w.Run(ctx, warm.Request{})      // when caches are cold
//
// What comes first is decided by expected demand × worth to the business: a [Predictor] foretells the one, by default from what
// [Warmer.Seen] was told, the past counting less and less ([Popularity]); a [Valuer] knows the other.
//
// # What it promises
//
//   - It is never the stampede: never more than Options.Rate loads a second (on top of one batch that may come at once), never
//     more batches under way than Options.Share of Options.Capacity, no new batch while [Pressure] says that others need the room.
//     Below these bounds the rate grows slowly and is halved when batches become slow, fail, or others need room.
//   - Memory is bounded, whatever is asked for.
//   - A run that was cut short, by [Warmer.Cancel], its context, or the death of the process, goes on where it stopped when it is asked for
//     again; in a tier that has lost what it had ([Tier] Epoch), from the beginning.
//   - What warming was good for is measured ([Effect]): how many items were asked for, how many loads nobody had to wait for, how
//     many were in vain. How many items a run brings in, and how fast, follows from that ([Tuning]).
//   - Counts and what was learnt survive a restart, if there is a [Store]; of the counts at most the last Options.SaveEvery is lost.
//
// # When not to use it
//
// Where everything fits and loading it takes a moment, load everything. Where what is asked for next has little to do with what was
// asked for before, and nothing else foretells it, warming loads in vain; the measured effect shows it. A single Warmer does one run at a
// time. It knows keys, not how much memory they take: Options.Top has to fit into the caches.
package warm
