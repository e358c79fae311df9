package wire

import "sync"

// space is where answers are put together. It is lent for as long as there are any: connections that wait for requests, which most do
// most of the time, need none.
type space struct{ b []byte }

const mostSpace = 2 * flushAt // is kept

var spaces = sync.Pool{New: func() any { return new(space) }}

func (c *Conn) borrow() {
	if c.lent == nil {
		c.lent = spaces.Get().(*space) //nolint:forcetypeassert // nothing else is in it
		c.out = c.lent.b[:0]
	}
}

// giveBack is called when the answers are sent, or there are none.
func (c *Conn) giveBack() {
	if c.lent == nil {
		return
	}
	if cap(c.out) <= mostSpace {
		c.lent.b = c.out[:0]
		spaces.Put(c.lent)
	}
	c.lent, c.out = nil, nil
}
