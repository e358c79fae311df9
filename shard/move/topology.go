package move

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/stampede-shop/stampede/shard"
)

// Shard is one database of a topology. DSN is where it is reached by whoever knows no better.
type Shard struct {
	ID     string `json:"id"`
	Weight int    `json:"weight,omitempty"`
	DSN    string `json:"dsn,omitempty"`
}

// Topology is a map of shards as data: a ring, with keys and spans of keys pinned over it.
type Topology struct {
	Shards []Shard           `json:"shards"`
	Pins   map[string]string `json:"pins,omitempty"`
	Spans  []shard.Span      `json:"spans,omitempty"`
}

// Map builds the map. A pin to a shard that is not listed is an error.
func (t Topology) Map() (shard.Map, error) {
	infos := make([]shard.Info, len(t.Shards))
	for i, s := range t.Shards {
		infos[i] = shard.Info{ID: s.ID, Weight: s.Weight}
	}
	ring, err := shard.NewRing(infos...)
	if err != nil || len(t.Pins)+len(t.Spans) == 0 {
		return ring, err
	}
	d, err := shard.NewDirectory(ring, t.Pins, t.Spans...)
	if err != nil {
		return nil, err
	}
	for _, id := range d.IDs() {
		if _, ok := t.Shard(id); !ok {
			return nil, fmt.Errorf("%w: keys are pinned to %q, which is not there", shard.ErrBadShard, id)
		}
	}
	return d, nil
}

// Shard finds a shard by its id.
func (t Topology) Shard(id string) (Shard, bool) {
	i := slices.IndexFunc(t.Shards, func(s Shard) bool { return s.ID == id })
	if i < 0 {
		return Shard{}, false
	}
	return t.Shards[i], true
}

// clone is a copy that shares nothing.
func (t Topology) clone() (out Topology) {
	raw, _ := json.Marshal(t) // strings and numbers: cannot fail
	_ = json.Unmarshal(raw, &out)
	return out
}

// With returns the topology with one shard more, or with another weight or DSN of one that is there.
func (t Topology) With(s Shard) Topology {
	t = t.clone()
	if i := slices.IndexFunc(t.Shards, func(x Shard) bool { return x.ID == s.ID }); i >= 0 {
		t.Shards[i] = s
	} else {
		t.Shards = append(t.Shards, s)
	}
	return t
}

// Pin returns the topology with a key pinned to a shard; to "" it goes back to where the ring has it.
func (t Topology) Pin(key, id string) Topology {
	t = t.clone()
	if t.Pins == nil {
		t.Pins = map[string]string{}
	}
	if id == "" {
		delete(t.Pins, key)
	} else {
		t.Pins[key] = id
	}
	return t
}

// PinSpan returns the topology with a span of keys pinned before all others.
func (t Topology) PinSpan(s shard.Span) Topology {
	t = t.clone()
	t.Spans = slices.DeleteFunc(t.Spans, func(x shard.Span) bool { return x.From == s.From && x.To == s.To })
	if s.Shard != "" {
		t.Spans = slices.Insert(t.Spans, 0, s)
	}
	return t
}

// Errors of moves.
var (
	ErrBusy      = errors.New("move: a move is under way")
	ErrNoMove    = errors.New("move: no move is under way")
	ErrTooLate   = errors.New("move: the new map is in force already")
	ErrNotUnique = errors.New("move: somebody else drives this move")
	ErrVerify    = errors.New("move: copies differ from their originals")
	ErrShape     = errors.New("move: a table cannot be moved")
	errHoldLost  = errors.New("move: the hold has ended")
	errTryLater  = errors.New("move: the cutover did not come about in time")
)
