// Package act decides when to do something about a bottleneck, within limits that somebody has set.
//
//	a, err := act.New(act.Options{Settings: []act.Setting{{Name: "checkout_slots", Against: []string{"hotrow"}, Base: 4, Bound: 12}}})
//	for _, t := range a.Step(time.Now(), causes) {
//		if err := apply(t); err != nil {
//			a.Failed(t, err)
//		}
//	}
//
// A setting is moved from its base towards its bound, step by step, while a cause lasts that it helps against, and goes back to its base when
// the cause has been gone for long enough. A deed, such as filling a cache, is done and not taken back. The package turns nothing itself: it
// says what to turn, why, and by which evidence.
//
// # What it promises
//
//   - No value is ever outside what lies between Base and Bound, and nothing is touched that is not among the settings.
//   - A setting is turned at most once in Options.Cooldown, whichever way; only [Actor.Off] takes back at once.
//   - A cause has to show in Options.Confirm steps in a row and with Options.Confidence before anything is turned because of it.
//   - No flapping: when a cause comes back soon after a setting went back, it has to be gone twice as long the next time, up to sixteen times
//     Options.Hold.
//   - The same steps give the same turns; time is handed in. Memory is bounded.
//
// # When not to use it
//
// For what must be right within seconds: that is what limits and governors close to the resource are for. This moves what bounds them. Nor for
// what cannot be taken back, or costs money by itself.
package act
