package shard

import (
	"encoding/binary"
	"math/bits"
)

// block is what MD5 (RFC 1321) works on at a time: sixteen words of 32 bits, the lowest byte first.
type block [64]byte

func (m *block) word(i int) uint32 { return binary.LittleEndian.Uint32(m[4*i:]) }

// leadOf is the first word of the digest of a padded block, as the number that its hex form spells. Of MD5's 64 steps the last three make
// the other words only, and are left out.
func leadOf(m *block) uint32 {
	const a0, b0, c0, d0 = 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476
	a, b, c, d := roundF(m, a0, b0, c0, d0)
	a, b, c, d = roundG(m, a, b, c, d)
	a, b, c, d = roundH(m, a, b, c, d)
	return bits.ReverseBytes32(a0 + roundI(m, a, b, c, d))
}

// A step of each round. Every step needs b, which the step before has just made, so what takes time is the way from b to the result:
// everything else is added up first. G's two halves have no bit in common: plus joins them as or would, and only one waits for b.
func stepF(a, b, c, d, m, k uint32, s int) uint32 {
	return b + bits.RotateLeft32(plus(m, k)+a+((c^d)&b^d), s)
}

func stepG(a, b, c, d, m, k uint32, s int) uint32 {
	return b + bits.RotateLeft32(plus(m, k)+a+(c&^d)+(b&d), s)
}

func stepH(a, b, c, d, m, k uint32, s int) uint32 {
	return b + bits.RotateLeft32(plus(m, k)+a+(c^d^b), s)
}

func stepI(a, b, c, d, m, k uint32, s int) uint32 {
	return b + bits.RotateLeft32(plus(m, k)+a+(c^(b|^d)), s)
}

// plus adds a constant in 64 bits, of which the lower half counts: of a sum in 32 bits the compiler would add the constant last, when b
// is waited for. With its sign a constant fits the instruction.
func plus(m, k uint32) uint32 { return uint32(uint64(m) + uint64(int64(int32(k)))) } //nolint:gosec // modulo 2³²

func roundF(m *block, a, b, c, d uint32) (_, _, _, _ uint32) {
	a = stepF(a, b, c, d, m.word(0), 0xd76aa478, 7)
	d = stepF(d, a, b, c, m.word(1), 0xe8c7b756, 12)
	c = stepF(c, d, a, b, m.word(2), 0x242070db, 17)
	b = stepF(b, c, d, a, m.word(3), 0xc1bdceee, 22)
	a = stepF(a, b, c, d, m.word(4), 0xf57c0faf, 7)
	d = stepF(d, a, b, c, m.word(5), 0x4787c62a, 12)
	c = stepF(c, d, a, b, m.word(6), 0xa8304613, 17)
	b = stepF(b, c, d, a, m.word(7), 0xfd469501, 22)
	a = stepF(a, b, c, d, m.word(8), 0x698098d8, 7)
	d = stepF(d, a, b, c, m.word(9), 0x8b44f7af, 12)
	c = stepF(c, d, a, b, m.word(10), 0xffff5bb1, 17)
	b = stepF(b, c, d, a, m.word(11), 0x895cd7be, 22)
	a = stepF(a, b, c, d, m.word(12), 0x6b901122, 7)
	d = stepF(d, a, b, c, m.word(13), 0xfd987193, 12)
	c = stepF(c, d, a, b, m.word(14), 0xa679438e, 17)
	b = stepF(b, c, d, a, m.word(15), 0x49b40821, 22)
	return a, b, c, d
}

func roundG(m *block, a, b, c, d uint32) (_, _, _, _ uint32) {
	a = stepG(a, b, c, d, m.word(1), 0xf61e2562, 5)
	d = stepG(d, a, b, c, m.word(6), 0xc040b340, 9)
	c = stepG(c, d, a, b, m.word(11), 0x265e5a51, 14)
	b = stepG(b, c, d, a, m.word(0), 0xe9b6c7aa, 20)
	a = stepG(a, b, c, d, m.word(5), 0xd62f105d, 5)
	d = stepG(d, a, b, c, m.word(10), 0x02441453, 9)
	c = stepG(c, d, a, b, m.word(15), 0xd8a1e681, 14)
	b = stepG(b, c, d, a, m.word(4), 0xe7d3fbc8, 20)
	a = stepG(a, b, c, d, m.word(9), 0x21e1cde6, 5)
	d = stepG(d, a, b, c, m.word(14), 0xc33707d6, 9)
	c = stepG(c, d, a, b, m.word(3), 0xf4d50d87, 14)
	b = stepG(b, c, d, a, m.word(8), 0x455a14ed, 20)
	a = stepG(a, b, c, d, m.word(13), 0xa9e3e905, 5)
	d = stepG(d, a, b, c, m.word(2), 0xfcefa3f8, 9)
	c = stepG(c, d, a, b, m.word(7), 0x676f02d9, 14)
	b = stepG(b, c, d, a, m.word(12), 0x8d2a4c8a, 20)
	return a, b, c, d
}

func roundH(m *block, a, b, c, d uint32) (_, _, _, _ uint32) {
	a = stepH(a, b, c, d, m.word(5), 0xfffa3942, 4)
	d = stepH(d, a, b, c, m.word(8), 0x8771f681, 11)
	c = stepH(c, d, a, b, m.word(11), 0x6d9d6122, 16)
	b = stepH(b, c, d, a, m.word(14), 0xfde5380c, 23)
	a = stepH(a, b, c, d, m.word(1), 0xa4beea44, 4)
	d = stepH(d, a, b, c, m.word(4), 0x4bdecfa9, 11)
	c = stepH(c, d, a, b, m.word(7), 0xf6bb4b60, 16)
	b = stepH(b, c, d, a, m.word(10), 0xbebfbc70, 23)
	a = stepH(a, b, c, d, m.word(13), 0x289b7ec6, 4)
	d = stepH(d, a, b, c, m.word(0), 0xeaa127fa, 11)
	c = stepH(c, d, a, b, m.word(3), 0xd4ef3085, 16)
	b = stepH(b, c, d, a, m.word(6), 0x04881d05, 23)
	a = stepH(a, b, c, d, m.word(9), 0xd9d4d039, 4)
	d = stepH(d, a, b, c, m.word(12), 0xe6db99e5, 11)
	c = stepH(c, d, a, b, m.word(15), 0x1fa27cf8, 16)
	b = stepH(b, c, d, a, m.word(2), 0xc4ac5665, 23)
	return a, b, c, d
}

func roundI(m *block, a, b, c, d uint32) uint32 {
	a = stepI(a, b, c, d, m.word(0), 0xf4292244, 6)
	d = stepI(d, a, b, c, m.word(7), 0x432aff97, 10)
	c = stepI(c, d, a, b, m.word(14), 0xab9423a7, 15)
	b = stepI(b, c, d, a, m.word(5), 0xfc93a039, 21)
	a = stepI(a, b, c, d, m.word(12), 0x655b59c3, 6)
	d = stepI(d, a, b, c, m.word(3), 0x8f0ccc92, 10)
	c = stepI(c, d, a, b, m.word(10), 0xffeff47d, 15)
	b = stepI(b, c, d, a, m.word(1), 0x85845dd1, 21)
	a = stepI(a, b, c, d, m.word(8), 0x6fa87e4f, 6)
	d = stepI(d, a, b, c, m.word(15), 0xfe2ce6e0, 10)
	c = stepI(c, d, a, b, m.word(6), 0xa3014314, 15)
	b = stepI(b, c, d, a, m.word(13), 0x4e0811a1, 21)
	a = stepI(a, b, c, d, m.word(4), 0xf7537e82, 6)
	return a
}
