// Package index finds out which index a step of a plan would like to have. [NeedOf] reads the conditions of a scan, [Need.Candidates] makes
// indexes of them: columns compared for equality first, then the order that is asked for or one range; partial, covering and expression
// indexes, and GIN for what only it can look up.
//
// It proposes; whether an index is worth having is for the planner (with HypoPG) and for measurements to say.
package index
