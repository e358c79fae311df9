// Package experiment runs experiments with faults: a statement about a system's steady state, a load, faults at set times, and
// what is expected to come of it.
//
// A run is paired: the same load is offered twice, without and with the faults, so that what the faults did can be told from
// what the load does by itself. After each the books are checked, and afterwards the system has to become whole again. The
// verdict says which expectation held, with the figure it was held against; a report draws both runs.
//
// The package knows neither the system nor the load: a [Lab] has both.
//
// # What it promises
//
//   - Every fault is undone before Run returns, whatever else happens, unless undoing itself fails: then the report says so.
//   - An abort condition that holds for its time ends load and faults, and the experiment fails.
//   - What was not measured holds no expectation: the experiment fails, and says why.
//   - A random experiment ([Random]) is a function of its seed and its menu.
//
// # When not to use it
//
// Where load cannot be offered again as it was: then what the faults did cannot be told from chance.
package experiment
