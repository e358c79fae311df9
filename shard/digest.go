package shard

import (
	"crypto/md5"
	"encoding/binary"
)

// oneBlock is the longest key that fits one block of MD5 with its padding (RFC 1321, 3.1 and 3.2).
const oneBlock = md5.BlockSize - 9

// point is a digest as a number: it orders as the digest's hex form does.
type point struct{ hi, lo uint64 }

func pointOf(digest [md5.Size]byte) point {
	return point{binary.BigEndian.Uint64(digest[:8]), binary.BigEndian.Uint64(digest[8:])}
}

// lead is the first 32 bits.
func (p point) lead() uint32 { return uint32(p.hi >> 32) }

// digest is the place of a key on the ring. It does not allocate for keys up to 128 bytes.
func digest(key string) point {
	var buf [128]byte
	return pointOf(md5.Sum(append(buf[:0], key...)))
}

// lead is digest(key).lead() for a key of at most oneBlock bytes, in two thirds of the time.
func lead(key string) uint32 {
	var m block
	pad(&m, key)
	return leadOf(&m)
}

// pad writes key, the bit after it, and its length in bits, into an empty block: in pieces of eight bytes, as words that lie within
// one piece are read back without waiting for it to reach the cache. The masks only spare the compiler its checks.
func pad(m *block, key string) {
	at, rest := 0, []byte(key) // not copied
	for ; len(rest) >= 8; at, rest = at+8, rest[8:] {
		binary.LittleEndian.PutUint64(m[at&56:], binary.LittleEndian.Uint64(rest))
	}
	left := uint(len(rest)) * 8
	last := uint64(0x80) << (left & 63)
	switch {
	case left == 0:
	case at > 0: // the last eight bytes, without those that are written already
		last |= binary.LittleEndian.Uint64([]byte(key[len(key)-8:])) >> ((64 - left) & 63)
	default:
		for i, b := range rest {
			last |= uint64(b) << (8 * i & 63)
		}
	}
	binary.LittleEndian.PutUint64(m[at&56:], last)
	binary.LittleEndian.PutUint64(m[md5.BlockSize-8:], uint64(len(key))*8)
}
