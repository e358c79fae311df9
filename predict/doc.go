// Package predict foretells which products will be sold most in the next period, a day or an hour, from what was sold before.
//
//	history, err := predict.ReadHistory(ctx, predict.Dir("sales"), predict.Day)
//	…
//	m, err := predict.Train(ctx, history, predict.Options{})
//	for _, f := range m.Top(time.Time{}, 50) { … f.Code, f.Units … }
//	m.Observe(history.Next(sales))      // a day later: no new training
//	err = m.Save("demand.model")
//
// A model ranks by a logistic regression that learns with every period (FTRL-Proximal), corrected by gradient-boosted trees over the
// last weeks, the mean of four trainings; both see the same features of a product: counts that decay at several rates, their trends, its place among the best
// sellers, weekday or hour, season, change of price, campaigns, and what sells of late in the same baskets and with the same words in
// its name.
//
// # What it promises
//
//   - The same history, options and seed give the same model, to the last bit of the file.
//   - A model knows how it did: before it is told of a period it has ranked it, and so has exponentially decayed frequency, with the
//     half-life that did best so far. When the model has not done better of late, the plain frequency ranks ([Model.Standing]).
//   - Files are written whole or not at all, carry a version and a checksum, and are refused when either is not right.
//   - Judgement is by rolling origin ([Evaluate]): each period is ranked by a model that was trained on nothing but what came before.
//
// # When not to use it
//
// With less than about two weeks of days there is nothing to learn from, and the frequency ranks. It foretells ranks, not stock: Units
// are what the past suggests for an ordinary period. Products that were never sold are not ranked. Everything is held in memory: about
// 1.5 kB a product, and the training window.
//
// Bottlenecks of a running platform are foretold by predict/bottleneck.
package predict
