package sketch

import (
	"math"
	"math/bits"
)

// HyperLogLog estimates how many distinct things it was shown (Flajolet, Fusy, Gandouet and Meunier, 2007), with linear counting
// while there are few. The standard error is 1.04/√2^precision.
type HyperLogLog struct {
	registers []uint8
	precision uint
}

// Bounds of a precision.
const (
	minPrecision = 4
	maxPrecision = 18
)

// NewHyperLogLog makes an empty one with 2^precision registers of a byte; precision is from 4 to 18.
func NewHyperLogLog(precision int) *HyperLogLog {
	p := uint(min(max(precision, minPrecision), maxPrecision))
	return &HyperLogLog{registers: make([]uint8, 1<<p), precision: p}
}

// AddHash shows it something by a 64-bit hash, whose bits must all be good. O(1).
func (h *HyperLogLog) AddHash(x uint64) {
	i := x >> (64 - h.precision)
	rank := uint8(bits.LeadingZeros64(x<<h.precision|1<<(h.precision-1))) + 1
	if rank > h.registers[i] {
		h.registers[i] = rank
	}
}

// Merge makes h what it would be had it been shown what o was, too. It returns false, and does nothing, when their precisions differ.
func (h *HyperLogLog) Merge(o *HyperLogLog) bool {
	if h.precision != o.precision {
		return false
	}
	for i, r := range o.registers {
		if r > h.registers[i] {
			h.registers[i] = r
		}
	}
	return true
}

// Estimate is how many distinct things there were, about. O(2^precision).
func (h *HyperLogLog) Estimate() float64 {
	m := float64(len(h.registers))
	var counts [66]int
	for _, r := range h.registers {
		counts[r]++
	}
	sum := 0.0
	for rank, n := range counts {
		sum += float64(n) * math.Ldexp(1, -rank)
	}
	estimate := alpha(len(h.registers)) * m * m / sum
	if empty := float64(counts[0]); estimate <= 2.5*m && empty > 0 {
		return m * math.Log(m/empty)
	}
	return estimate
}

// alpha corrects the bias of the harmonic mean.
func alpha(m int) float64 {
	switch m {
	case 16:
		return 0.673
	case 32:
		return 0.697
	case 64:
		return 0.709
	}
	return 0.7213 / (1 + 1.079/float64(m))
}

// Reset empties it.
func (h *HyperLogLog) Reset() { clear(h.registers) }
