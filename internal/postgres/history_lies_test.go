package postgres_test

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// A check that cannot fail proves nothing: these histories are of shops that are broken in one way each, and each is told apart from its
// like of a shop that works.

type lines = map[int64]int64

// seen makes a history of what happened one after the other; overlapping calls get their times from the caller.
func seen(calls ...porcupine.Operation) []porcupine.Operation {
	for i := range calls {
		if calls[i].Call == 0 && calls[i].Return == 0 {
			calls[i].Call, calls[i].Return = int64(10*i+1), int64(10*i+2)
		}
	}
	return calls
}

func was(op any, out any) porcupine.Operation { return porcupine.Operation{Input: op, Output: out} }

func (s stockOp) was(verdict string, left lines) porcupine.Operation {
	if left == nil {
		left = lines{}
	}
	return was(s, stockOut{verdict: verdict, left: left})
}

func TestHistoriesOfBrokenStock(t *testing.T) {
	t.Parallel()
	reserve := func(order string, want lines) stockOp { return stockOp{kind: "reserve", order: order, lines: want} }
	release := func(order string) stockOp { return stockOp{kind: "release", order: order, lines: lines{1: 1}} }
	read := stockOp{kind: "read", lines: lines{1: 0}}
	one, both := lines{1: 1}, lines{1: 1, 2: 1}
	at := func(o porcupine.Operation, call, ret int64) porcupine.Operation {
		o.Call, o.Return = call, ret
		return o
	}
	for name, c := range map[string]struct{ true, false []porcupine.Operation }{
		"the last unit is sold twice": {
			seen(reserve("a", one).was("held", nil), reserve("b", one).was("short", lines{1: 0})),
			seen(reserve("a", one).was("held", nil), reserve("b", one).was("held", nil))},
		"refused though there was some, and nobody else about": {
			seen(at(reserve("a", one).was("unknown", nil), 1, never), reserve("b", one).was("short", lines{1: 0})),
			seen(reserve("b", one).was("short", lines{1: 0}))},
		"the refusal tells a wrong number": {
			seen(reserve("a", lines{1: 2}).was("short", lines{1: 1})),
			seen(reserve("a", lines{1: 2}).was("short", lines{1: 0}))},
		"one line was taken, the other not": {
			seen(reserve("a", both).was("short", lines{2: 0}), read.was("done", lines{1: 1})),
			seen(reserve("a", both).was("short", lines{2: 0}), read.was("done", lines{1: 0}))},
		"an old reading": {
			seen(at(reserve("a", one).was("held", nil), 1, 20), at(read.was("done", lines{1: 1}), 10, 11)),
			seen(at(reserve("a", one).was("held", nil), 1, 9), at(read.was("done", lines{1: 1}), 10, 11))},
		"a reading goes back": {
			seen(at(reserve("a", one).was("held", nil), 1, 90), at(read.was("done", lines{1: 1}), 10, 11), at(read.was("done", lines{1: 0}), 20, 21)),
			seen(at(reserve("a", one).was("held", nil), 1, 90), at(read.was("done", lines{1: 0}), 10, 11), at(read.was("done", lines{1: 1}), 20, 21))},
		"a release is lost": {
			seen(reserve("a", one).was("held", nil), release("a").was("done", nil), read.was("done", lines{1: 1})),
			seen(reserve("a", one).was("held", nil), release("a").was("done", nil), read.was("done", lines{1: 0}))},
		"a release counts twice": {
			seen(reserve("a", one).was("held", nil), release("a").was("done", nil), release("a").was("done", nil), read.was("done", lines{1: 1})),
			seen(reserve("a", one).was("held", nil), release("a").was("done", nil), release("a").was("done", nil), read.was("done", lines{1: 2}))},
		"a repetition counts twice": {
			seen(reserve("a", one).was("held", nil), reserve("a", one).was("held", nil), read.was("done", lines{1: 0})),
			seen(reserve("a", one).was("held", nil), reserve("a", one).was("held", nil), read.was("done", lines{1: -1}))},
		"reserved after it was released": {
			seen(release("a").was("done", nil), reserve("a", one).was("conflict", nil)),
			seen(release("a").was("done", nil), reserve("a", one).was("held", nil))},
		"sold what was given back": {
			seen(release("a").was("done", nil), stockOp{kind: "commit", order: "a", lines: one}.was("conflict", nil)),
			seen(release("a").was("done", nil), stockOp{kind: "commit", order: "a", lines: one}.was("done", nil))},
	} {
		tellsApart(t, name, stockModel(lines{1: 1, 2: 0}), c.true, c.false)
	}
}

// tellsApart fails unless the one history has an explanation and the other has none.
func tellsApart(t *testing.T, name string, m porcupine.Model, sound, broken []porcupine.Operation) {
	t.Helper()
	if !porcupine.CheckOperations(m, sound) {
		t.Errorf("%s: the sound history is taken for broken:\n%s", name, told(m, sound))
	}
	if porcupine.CheckOperations(m, broken) {
		t.Errorf("%s: not noticed:\n%s", name, told(m, broken))
	}
}

func TestHistoriesOfBrokenCheckouts(t *testing.T) {
	t.Parallel()
	add := was(tabOp{kind: "add", product: 1, units: 1}, tabOut{version: 1, lines: lines{1: 1}})
	look := func(version int64, cart lines) porcupine.Operation {
		return was(tabOp{kind: "look"}, tabOut{version: version, lines: cart})
	}
	open := func(order string, of lines) porcupine.Operation {
		return was(tabOp{kind: "open", order: order, lines: of}, tabOut{})
	}
	confirm := func(order string) porcupine.Operation { return was(tabOp{kind: "confirm", order: order}, tabOut{}) }
	told := func(key, order string) porcupine.Operation {
		return was(tabOp{kind: "told", key: key, order: order}, tabOut{status: "confirmed"})
	}
	one := lines{1: 1}
	again := was(tabOp{kind: "add", product: 1, units: 1}, tabOut{version: 3, lines: one})
	for name, c := range map[string]struct{ true, false []porcupine.Operation }{
		"a key stands for two orders": {
			seen(add, open("a", one), confirm("a"), told("k", "a"), again, open("b", one), confirm("b"), told("l", "b")),
			seen(add, open("a", one), confirm("a"), told("k", "a"), again, open("b", one), confirm("b"), told("k", "b"))},
		"one cart is bought twice": {
			seen(add, open("a", one), confirm("a")),
			seen(add, open("a", one), confirm("a"), open("b", one), confirm("b"))},
		"two checkouts are open at once": {
			seen(add, open("a", one), confirm("a"), look(2, lines{})),
			seen(add, open("a", one), open("b", one), confirm("a"), confirm("b"))},
		"what was bought is still in the cart": {
			seen(add, open("a", one), confirm("a"), look(2, lines{})),
			seen(add, open("a", one), confirm("a"), look(2, one))},
		"what was added meanwhile is gone": {
			seen(add, open("a", one), was(tabOp{kind: "add", product: 2, units: 1}, tabOut{version: 2, lines: lines{1: 1, 2: 1}}), confirm("a"), look(3, lines{2: 1})),
			seen(add, open("a", one), was(tabOp{kind: "add", product: 2, units: 1}, tabOut{version: 2, lines: lines{1: 1, 2: 1}}), confirm("a"), look(3, lines{}))},
		"told of an order that is not": {
			seen(add, open("a", one), confirm("a"), told("k", "a")),
			seen(add, open("a", one), told("k", "a"), confirm("a"))},
		"an order of something else": {
			seen(add, open("a", one)),
			seen(add, open("a", lines{1: 2}))},
		"told that the cart is empty": {
			seen(was(tabOp{kind: "empty"}, tabOut{}), add),
			seen(add, was(tabOp{kind: "empty"}, tabOut{}))},
	} {
		tellsApart(t, name, tabModel, c.true, c.false)
	}
}
