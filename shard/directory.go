package shard

import (
	"fmt"
	"maps"
	"slices"
)

// Span is the keys from From up to but not including To, compared byte by byte; an empty To has no end.
type Span struct {
	From  string `json:"from"`
	To    string `json:"to,omitempty"`
	Shard string `json:"shard"`
}

func (s Span) holds(key string) bool { return key >= s.From && (s.To == "" || key < s.To) }

// Directory is an immutable [Map] of exceptions: pinned keys, then pinned spans of keys, go where it says, everything else
// where another map says. Its memory grows with the pins: it is for the few keys that deserve a place of their own.
type Directory struct {
	rest  Map
	keys  map[string]string
	spans []Span
	ids   []string
}

var _ Map = (*Directory)(nil)

// NewDirectory pins keys (key to shard id) and spans over a map. Where spans overlap, the first in the list holds. The shards that
// pins name need not be known to rest.
func NewDirectory(rest Map, keys map[string]string, spans ...Span) (*Directory, error) {
	if rest == nil {
		return nil, ErrNoShards
	}
	d := &Directory{rest: rest, keys: maps.Clone(keys), spans: slices.Clone(spans), ids: rest.IDs()}
	for key, id := range keys {
		if key == "" || id == "" {
			return nil, fmt.Errorf("%w: pin of key %q to shard %q", ErrBadShard, key, id)
		}
		d.ids = append(d.ids, id)
	}
	for _, s := range spans {
		if s.Shard == "" || (s.To != "" && s.To <= s.From) {
			return nil, fmt.Errorf("%w: span from %q to %q pinned to shard %q", ErrBadShard, s.From, s.To, s.Shard)
		}
		d.ids = append(d.ids, s.Shard)
	}
	slices.Sort(d.ids)
	d.ids = slices.Compact(d.ids)
	return d, nil
}

// Locate returns the shard that key is pinned to, or else its owner in the map below.
func (d *Directory) Locate(key string) (string, error) {
	if key == "" {
		return "", ErrEmptyKey
	}
	if id, ok := d.keys[key]; ok {
		return id, nil
	}
	for _, s := range d.spans {
		if s.holds(key) {
			return s.Shard, nil
		}
	}
	return d.rest.Locate(key)
}

// IDs lists the shards in ascending order, those of pins included.
func (d *Directory) IDs() []string { return slices.Clone(d.ids) }
