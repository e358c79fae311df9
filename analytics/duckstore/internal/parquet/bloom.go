package parquet

import (
	"encoding/binary"
	"math/bits"
)

// A split-block Bloom filter, as Parquet has it: a reader that looks for one value leaves out row groups that do not have it. Of some
// ten bits a value, one question in a hundred is answered wrongly, by "perhaps".
const (
	bloomBits  = 10 // a value
	bloomBlock = 32 // bytes
)

// Numbers that Parquet and xxHash fix.
var bloomSalt = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

const (
	prime1 = 0x9e3779b185ebca87
	prime2 = 0xc2b2ae3d27d4eb4f
	prime3 = 0x165667b19e3779f9
	prime4 = 0x85ebca77c2b2ae63
	prime5 = 0x27d4eb2f165667c5
)

// xxh64 hashes eight bytes.
func xxh64(v uint64) uint64 {
	var p1, p2, p5 uint64 = prime1, prime2, prime5
	h := (p5 + 8) ^ bits.RotateLeft64(v*p2, 31)*p1
	h = bits.RotateLeft64(h, 27)*p1 + prime4
	h = (h ^ h>>33) * p2
	h = (h ^ h>>29) * prime3
	return h ^ h>>32
}

// appendBloom encodes the filter of 8-byte values that stand in plain, with its header. O(values).
func appendBloom(dst, plain []byte) []byte {
	n := len(plain) / 8
	blocks := max(1, (n*bloomBits+8*bloomBlock-1)/(8*bloomBlock))
	var h thrift
	h.open()
	h.i32(1, blocks*bloomBlock)
	for field := int16(2); field <= 4; field++ { // blocks, xxHash, not compressed
		h.inner(field)
		h.empty(1)
		h.close()
	}
	h.close()
	dst = append(dst, h.b...)
	at := len(dst)
	dst = append(dst, make([]byte, blocks*bloomBlock)...)
	for i := range n {
		x := xxh64(binary.LittleEndian.Uint64(plain[8*i:]))
		block := dst[at+int((x>>32)*uint64(blocks)>>32)*bloomBlock:][:bloomBlock]
		for k, salt := range bloomSalt {
			bit := salt * uint32(x) >> 27
			block[4*k+int(bit>>3)] |= 1 << (bit & 7)
		}
	}
	return dst
}
