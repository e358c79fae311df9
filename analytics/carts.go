package analytics

// carts follows filled carts until they are bought or left alone. When there are too many, half of the shoppers are followed no more:
// chosen by their hash, so that each is followed wholly or not at all, and counts are scaled.
type carts struct {
	since map[uint64]int64 // shopper → µs of the last thing put in
	shift uint             // of 2^shift shoppers one is followed
}

func newCarts() carts { return carts{since: map[uint64]int64{}} }

func (c *carts) follows(shopper uint64) bool { return shopper != 0 && shopper&(1<<c.shift-1) == 0 }

// scale is how many carts one that is followed stands for.
func (c *carts) scale() int64 { return 1 << c.shift }

func (c *carts) filled(shopper uint64, at int64) {
	if !c.follows(shopper) {
		return
	}
	c.since[shopper] = max(c.since[shopper], at)
	if len(c.since) <= maxCarts {
		return
	}
	c.shift++
	for s := range c.since {
		if !c.follows(s) {
			delete(c.since, s)
		}
	}
}

// bought tells whether the shopper had a cart that is followed.
func (c *carts) bought(shopper uint64) bool {
	_, had := c.since[shopper]
	delete(c.since, shopper)
	return had
}

// idle forgets carts that nothing was put into since then, and returns how many there were.
func (c *carts) idle(before int64) (n int64) {
	for s, at := range c.since {
		if at < before {
			delete(c.since, s)
			n++
		}
	}
	if len(c.since) < maxCarts/4 && c.shift > 0 {
		c.shift-- // those of the other half are followed from their next event on
	}
	return n
}
