package shard

import (
	"bytes"
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
	ID     string
	Weight int
}

// Map tells which shard owns a key. It is safe for concurrent use.
type Map interface {
	// Locate returns the id of the owner, or ErrEmptyKey for "".
	Locate(key string) (string, error)
	// IDs lists the shards in ascending order.
	IDs() []string
}

// place is one virtual node: the binary digest orders as its hex form does.
type place struct {
	digest [md5.Size]byte
	owner  int32 // index into ids
}

// Ring is an immutable consistent-hash [Map].
type Ring struct {
	ids    []string
	places []place
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
		return cmp.Or(bytes.Compare(a.digest[:], b.digest[:]), cmp.Compare(a.owner, b.owner))
	})
	return r, nil
}

func (r *Ring) add(owner int32, id string, weight int) {
	buf := append([]byte(id), ':')
	prefix := len(buf)
	for i := range VirtualNodes * weight {
		buf = strconv.AppendInt(buf[:prefix], int64(i), 10)
		r.places = append(r.places, place{digest: md5.Sum(buf), owner: owner})
	}
}

// Locate returns the shard that owns key.
func (r *Ring) Locate(key string) (string, error) {
	if key == "" {
		return "", ErrEmptyKey
	}
	var buf [128]byte // keys up to this length are hashed without an allocation
	digest := md5.Sum(append(buf[:0], key...))
	lo, hi := 0, len(r.places)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if bytes.Compare(r.places[mid].digest[:], digest[:]) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(r.places) {
		lo = 0
	}
	return r.ids[r.places[lo].owner], nil
}

// IDs lists the shards in ascending order.
func (r *Ring) IDs() []string { return slices.Clone(r.ids) }
