package httpcache

import (
	"slices"
	"sync"
	"sync/atomic"
)

// shardCount: few enough that one answer of MaxObject is a small part of a shard, many enough that two cores rarely meet.
const shardCount = 16

// memory keeps entries in shards, each bounded in bytes, evicted by SIEVE (Zhang et al., NSDI '24): a hand walks from
// the oldest to the newest, spares and marks down what was used since it last came by, and drops the rest. A hit only
// sets a flag.
type memory struct {
	shards      [shardCount]shard
	maxVariants int
	evicted     atomic.Int64
}

type shard struct {
	mu         sync.RWMutex
	resources  map[string]*resource
	head, tail *resource // newest, oldest
	hand       *resource
	bytes, max int64
}

// resource is what is known of one address: its variants, newest first. The slice is replaced, never changed.
type resource struct {
	key        string
	variants   atomic.Pointer[[]*entry]
	visited    atomic.Bool
	alone      atomic.Int64 // until then (Unix nanoseconds) its answers are known to be personal: nobody waits for another's
	size       int64
	next, prev *resource // towards older, newer
}

// resourceSize is what a resource takes without its variants.
const resourceSize = 250

func newMemory(bytes int64, maxVariants int) *memory {
	m := &memory{maxVariants: maxVariants}
	for i := range m.shards {
		m.shards[i].resources = map[string]*resource{}
		m.shards[i].max = bytes / shardCount
	}
	return m
}

// shardIndex spreads keys by a hash that costs little: keys that an attacker chooses can at worst fill a shard, which then
// evicts.
func shardIndex[B []byte | string](key B) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	return (h ^ h>>29) % shardCount
}

// find returns the resource of a key; it does not allocate.
func find[B []byte | string](m *memory, key B) *resource {
	s := &m.shards[shardIndex(key)]
	s.mu.RLock()
	r := s.resources[string(key)]
	s.mu.RUnlock()
	return r
}

func (r *resource) list() []*entry {
	if p := r.variants.Load(); p != nil {
		return *p
	}
	return nil
}

// touch notes a use.
func (r *resource) touch() {
	if !r.visited.Load() {
		r.visited.Store(true)
	}
}

// with calls f with the resource of key, made if need be, under the shard's lock, and counts and evicts afterwards.
func (m *memory) with(key string, f func(*resource)) {
	s := &m.shards[shardIndex(key)]
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.resources[key]
	if r == nil {
		r = &resource{key: key}
		s.resources[key] = r
		r.next = s.head
		if s.head != nil {
			s.head.prev = r
		}
		s.head = r
		if s.tail == nil {
			s.tail = r
		}
	}
	f(r)
	size := resourceSize + 2*int64(len(key))
	for _, e := range r.list() {
		size += e.size()
	}
	s.bytes += size - r.size
	r.size = size
	for s.bytes > s.max && s.tail != nil {
		m.evict(s)
	}
}

func (m *memory) evict(s *shard) {
	r := s.hand
	if r == nil {
		r = s.tail
	}
	for r.visited.Load() {
		r.visited.Store(false)
		if r = r.prev; r == nil {
			r = s.tail
		}
	}
	s.hand = r.prev
	s.unlink(r)
	m.evicted.Add(1)
}

func (s *shard) unlink(r *resource) {
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		s.head = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	} else {
		s.tail = r.prev
	}
	if s.hand == r {
		s.hand = r.prev
	}
	delete(s.resources, r.key)
	s.bytes -= r.size
}

// put stores e in place of the variant with the same values; the oldest beyond the bound goes.
func (m *memory) put(e *entry) {
	m.with(e.key, func(r *resource) {
		r.alone.Store(0)
		old := r.list()
		list := make([]*entry, 1, len(old)+1)
		list[0] = e
		for _, o := range old {
			if !slices.Equal(o.vary, e.vary) && len(list) < m.maxVariants {
				list = append(list, o)
			}
		}
		r.variants.Store(&list)
	})
}

// drop removes one entry, if it is still there.
func (m *memory) drop(e *entry) {
	s := &m.shards[shardIndex(e.key)]
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.resources[e.key]
	if r == nil {
		return
	}
	list := slices.DeleteFunc(slices.Clone(r.list()), func(o *entry) bool { return o == e })
	if len(list) == 0 {
		s.unlink(r)
		return
	}
	r.variants.Store(&list)
	s.bytes -= e.size()
	r.size -= e.size()
}

// used is how many addresses are kept, and in how many bytes.
func (m *memory) used() (n, bytes int64) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.RLock()
		n, bytes = n+int64(len(s.resources)), bytes+s.bytes
		s.mu.RUnlock()
	}
	return n, bytes
}
