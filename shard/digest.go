package shard

import (
	"crypto/md5"
	"encoding"
	"encoding/binary"
)

// oneBlock is the longest key that fits one block of MD5 with its padding (RFC 1321, 3.1 and 3.2).
const oneBlock = md5.BlockSize - 9

// locate is the place of a key on the ring: its MD5 digest as a number. It does not allocate for keys up to 128 bytes.
func locate(key string) point {
	if len(key) <= oneBlock && direct {
		return digestShort(key)
	}
	return digestAny(key)
}

func digestAny(key string) point {
	var buf [128]byte
	return pointOf(md5.Sum(append(buf[:0], key...)))
}

// digestShort hands the library a block that is padded already, so that it hashes it where it stands, and reads the state
// that is left, which is the digest. md5.Sum copies the key and its padding into buffers of its own first: a sixth of its time for
// a key as short as these.
func digestShort(key string) point {
	var block [md5.BlockSize]byte
	n := copy(block[:oneBlock], key)
	block[n] = 0x80
	binary.LittleEndian.PutUint64(block[md5.BlockSize-8:], uint64(n)<<3)
	h := md5.New() // stays on the stack: the compiler sees which type it is
	if _, err := h.Write(block[:]); err != nil {
		return point{}
	}
	var buf [96]byte
	state, err := h.(encoding.BinaryAppender).AppendBinary(buf[:0]) // four letters, then four words, the highest byte first
	if err != nil || len(state) < 4+md5.Size {
		return point{}
	}
	word := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(state[at:])) } // a digest has its lowest byte first
	return point{word(4)<<32 | word(8), word(12)<<32 | word(16)}
}

// direct tells that the library's state has the form that digestShort reads. Should that ever change, md5.Sum does it all.
var direct = digestShort("alice") == digestAny("alice") && digestShort("") == digestAny("")
