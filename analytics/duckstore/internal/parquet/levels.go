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

// leastRun is how many equal values are worth a run of their own.
const leastRun = 64

// appendHybrid encodes values below 2^width: long runs of the same one as such, the others bit-packed. What is packed is a multiple of
// eight values but for the last, as the format asks for.
func appendHybrid(dst []byte, v []uint32, width int) []byte {
	from := 0 // of what is to be packed
	for i := 0; i < len(v); {
		end := i + 1
		for end < len(v) && v[end] == v[i] {
			end++
		}
		begin := from + (i-from+7)/8*8 // what is packed takes of the run what it lacks
		if end-begin < leastRun {
			i = end
			continue
		}
		if begin > from {
			dst = appendPacked(dst, v[from:begin], width)
		}
		dst = appendRun(dst, v[i], width, end-begin)
		from, i = end, end
	}
	if from < len(v) {
		dst = appendPacked(dst, v[from:], width)
	}
	return dst
}

// appendIndices encodes numbers of a dictionary of size entries, with the width before it.
func appendIndices(dst []byte, v []uint32, size int) []byte {
	width := max(1, bits.Len(uint(max(size-1, 0))))
	return appendHybrid(append(dst, byte(width)), v, width)
}

// appendDefined encodes which of n values there are, with the length before it. No bitmap: all, or none.
func appendDefined(dst []byte, bitmap []byte, n, nulls int) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	switch nulls {
	case 0:
		dst = appendRun(dst, 1, 1, n)
	case n:
		dst = appendRun(dst, 0, 1, n)
	default:
		dst = appendBitmap(dst, bitmap, n)
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// appendBitmap encodes a bit for each of n values: bytes that are all the same as runs.
func appendBitmap(dst []byte, bitmap []byte, n int) []byte {
	from, whole := 0, n/8 // the last byte may have bits that mean nothing
	for i := 0; i < whole; {
		end := i + 1
		for end < whole && bitmap[end] == bitmap[i] {
			end++
		}
		if end-i >= leastRun/8 && (bitmap[i] == 0 || bitmap[i] == 0xff) {
			dst = appendBits(dst, bitmap[from:i])
			dst = appendRun(dst, uint32(bitmap[i]&1), 1, 8*(end-i))
			from = end
		}
		i = end
	}
	return appendBits(dst, bitmap[from:(n+7)/8])
}

// appendBits is a bit-packed run of width one, which a bitmap is.
func appendBits(dst, bitmap []byte) []byte {
	if len(bitmap) == 0 {
		return dst
	}
	return append(binary.AppendUvarint(dst, uint64(len(bitmap))<<1|1), bitmap...)
}
