package sketch

import (
	"hash/maphash"
	"math"
)

// CountMin estimates how often each key was added (Cormode and Muthukrishnan, "An improved data stream summary", 2005).
// It never says too little; with probability 1-delta it says at most epsilon × Total too much.
type CountMin struct {
	width uint64
	rows  [][]uint32
	total uint64
	seed  maphash.Seed
}

// NewCountMin makes a sketch for the bounds epsilon and delta, each within (0, 1); values outside become 0.001 and 0.01.
// It takes about 4 × e/epsilon × ln(1/delta) bytes.
func NewCountMin(epsilon, delta float64) *CountMin {
	if !(epsilon > 0 && epsilon < 1) {
		epsilon = 0.001
	}
	if !(delta > 0 && delta < 1) {
		delta = 0.01
	}
	width, depth := uint64(math.Ceil(math.E/epsilon)), int(math.Ceil(math.Log(1/delta)))
	c := &CountMin{width: width, rows: make([][]uint32, max(depth, 1)), seed: maphash.MakeSeed()}
	for i := range c.rows {
		c.rows[i] = make([]uint32, width)
	}
	return c
}

// Add counts key n times and returns the new estimate. Only cells that hold the estimate grow (conservative update,
// Estan and Varghese 2002), which keeps the error smaller.
func (c *CountMin) Add(key string, n uint32) uint64 {
	h := maphash.String(c.seed, key)
	least := uint32(math.MaxUint32)
	for i, row := range c.rows {
		least = min(least, row[c.cell(h, i)])
	}
	sum := uint32(min(uint64(least)+uint64(n), math.MaxUint32))
	for i, row := range c.rows {
		cell := &row[c.cell(h, i)]
		*cell = max(*cell, sum)
	}
	c.total += uint64(n)
	return uint64(sum)
}

// Count is the estimate for key.
func (c *CountMin) Count(key string) uint64 {
	h := maphash.String(c.seed, key)
	least := uint32(math.MaxUint32)
	for i, row := range c.rows {
		least = min(least, row[c.cell(h, i)])
	}
	return uint64(least)
}

// Total is how much was added, after halvings.
func (c *CountMin) Total() uint64 { return c.total }

// Halve divides all counts by two, so that the past weighs less.
func (c *CountMin) Halve() {
	for _, row := range c.rows {
		for i := range row {
			row[i] /= 2
		}
	}
	c.total /= 2
}

// cell is the column of a key's hash in row i: two halves of one hash make as many as needed (Kirsch and Mitzenmacher 2006).
func (c *CountMin) cell(h uint64, i int) uint64 {
	return (h + uint64(i)*(h>>32|1)*0x9e3779b97f4a7c15) % c.width
}
