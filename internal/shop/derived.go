package shop

import (
	"sync"
	"sync/atomic"
)

// maxDerived bounds what is kept with one value.
const maxDerived = 8

// Derived keeps what is made of a shared value, such as the bytes of answers, with the value: it is made once, lives as
// long, and is found without a lock. The first maxDerived things are kept, later ones are not. The zero value is ready.
type Derived struct {
	mu   sync.Mutex // of writers
	list atomic.Pointer[[]derivation]
}

type derivation struct {
	key   FieldSet
	value any
}

// Get returns what was kept under key, nil if nothing.
func (d *Derived) Get(key FieldSet) any {
	if list := d.list.Load(); list != nil {
		for i := range *list {
			if (*list)[i].key == key {
				return (*list)[i].value
			}
		}
	}
	return nil
}

// Keep keeps value under key if there is room, and returns what is to be used: what somebody else kept meanwhile, or value.
func (d *Derived) Keep(key FieldSet, value any) any {
	d.mu.Lock()
	defer d.mu.Unlock()
	if kept := d.Get(key); kept != nil {
		return kept
	}
	var list []derivation
	if old := d.list.Load(); old != nil {
		list = *old
	}
	if len(list) < maxDerived {
		list = append(list[:len(list):len(list)], derivation{key, value})
		d.list.Store(&list)
	}
	return value
}
