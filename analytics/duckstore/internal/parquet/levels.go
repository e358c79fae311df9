package parquet

import (
	"encoding/binary"
	"math/bits"
)

// appendRun is Parquet's hybrid encoding of n times the same value.
func appendRun(dst []byte, v uint32, width, n int) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for range (width + 7) / 8 {
		dst, v = append(dst, byte(v)), v>>8
	}
	return dst
}

// appendPacked is Parquet's hybrid encoding of any values below 2^width, width up to 32: one bit-packed run.
func appendPacked(dst []byte, v []uint32, width int) []byte {
	groups := (len(v) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	end := len(dst) + groups*width
	var acc uint64
	have := 0
	for _, x := range v {
		acc |= uint64(x) << have
		for have += width; have >= 8; have -= 8 {
			dst, acc = append(dst, byte(acc)), acc>>8
		}
	}
	if have > 0 {
		dst = append(dst, byte(acc))
	}
	for len(dst) < end { // the last group is full
		dst = append(dst, 0)
	}
	return dst
}

// appendIndices encodes numbers of a dictionary of size entries, with the width before it.
func appendIndices(dst []byte, v []uint32, size int) []byte {
	width := max(1, bits.Len(uint(max(size-1, 0))))
	dst = append(dst, byte(width))
	if size <= 1 {
		return appendRun(dst, 0, width, len(v))
	}
	return appendPacked(dst, v, width)
}

// appendDefined encodes which of n values there are, with the length before it. No bitmap: all.
func appendDefined(dst []byte, bitmap []byte, n, nulls int) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	switch nulls {
	case 0:
		dst = appendRun(dst, 1, 1, n)
	case n:
		dst = appendRun(dst, 0, 1, n)
	default:
		groups := (n + 7) / 8
		dst = append(binary.AppendUvarint(dst, uint64(groups)<<1|1), bitmap[:groups]...) // a width of one is a bitmap
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}
