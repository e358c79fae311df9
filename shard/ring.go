package shard

import (
	"cmp"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// VirtualNodes is how many places on the ring a shard of weight 1 has.
const VirtualNodes = 150

// Errors of maps.
var (
	ErrEmptyKey = errors.New("shard: empty key")
	ErrNoShards = errors.New("shard: no shards")
	ErrBadShard = errors.New("shard: bad shard") // empty or repeated id, weight out of bounds
)

// maxWeight bounds the memory of a ring: 150,000 places of 24 bytes a shard.
const maxWeight = 1000

// Info describes a shard to a map. Weight is its share relative to the others: 0 means 1, at most 1000.
type Info struct {
	ID     string `json:"id"`
	Weight int    `json:"weight,omitempty"`
}

// Map tells which shard owns a key. It is safe for concurrent use.
type Map interface {
	// Locate returns the id of the owner, or ErrEmptyKey for "".
	Locate(key string) (string, error)
	// IDs lists the shards in ascending order.
	IDs() []string
}

func (p point) compare(q point) int { return cmp.Or(cmp.Compare(p.hi, q.hi), cmp.Compare(p.lo, q.lo)) }

// place is one virtual node.
type place struct {
	point
	owner int32 // index into ids
}

// Ring is an immutable consistent-hash [Map].
type Ring struct {
	ids    []string
	places []place
	index  index
}

var _ Map = (*Ring)(nil)

// NewRing builds the ring of the given shards. Errors are ErrNoShards and ErrBadShard, wrapped.
func NewRing(shards ...Info) (*Ring, error) {
	if len(shards) == 0 {
		return nil, ErrNoShards
	}
	sorted := slices.Clone(shards)
	slices.SortFunc(sorted, func(a, b Info) int { return cmp.Compare(a.ID, b.ID) })
	r := &Ring{ids: make([]string, len(sorted))}
	for i, s := range sorted {
		switch {
		case s.ID == "":
			return nil, fmt.Errorf("%w: empty id", ErrBadShard)
		case i > 0 && sorted[i-1].ID == s.ID:
			return nil, fmt.Errorf("%w: id %q is given twice", ErrBadShard, s.ID)
		case s.Weight < 0 || s.Weight > maxWeight:
			return nil, fmt.Errorf("%w: weight %d of %q is not within 0 (meaning 1) and %d", ErrBadShard, s.Weight, s.ID, maxWeight)
		}
		r.ids[i] = s.ID
		r.add(int32(i), s.ID, max(s.Weight, 1))
	}
	slices.SortFunc(r.places, func(a, b place) int {
		// Equal digests are next to impossible, but must not make the owner depend on the order of the arguments.
		return cmp.Or(a.compare(b.point), cmp.Compare(a.owner, b.owner))
	})
	r.index = newIndex(r.places)
	return r, nil
}

func (r *Ring) add(owner int32, id string, weight int) {
	buf := append([]byte(id), ':')
	prefix := len(buf)
	for i := range VirtualNodes * weight {
		buf = strconv.AppendInt(buf[:prefix], int64(i), 10)
		r.places = append(r.places, place{pointOf(md5.Sum(buf)), owner})
	}
}

// Locate returns the shard that owns key.
func (r *Ring) Locate(key string) (string, error) {
	if key == "" {
		return "", ErrEmptyKey
	}
	return r.ids[r.ownerOf(key)], nil
}

// ownerOf is the owner of a key: that of the first place at or after its digest, around the ring. The digest's first 32 bits
// tell it, unless a place begins with the same.
func (r *Ring) ownerOf(key string) int32 {
	if len(key) <= oneBlock {
		l := lead(key)
		if at := &r.index.leads[r.index.reach(l)]; at.lead != l {
			return at.owner
		}
	}
	return r.ownerAt(digest(key))
}

func (r *Ring) ownerAt(p point) int32 {
	for i := r.index.reach(p.lead()); i < len(r.places); i++ {
		if at := &r.places[i]; at.compare(p) >= 0 {
			return at.owner
		}
	}
	return r.places[0].owner
}

// IDs lists the shards in ascending order.
func (r *Ring) IDs() []string { return slices.Clone(r.ids) }
