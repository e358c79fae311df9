package httpcache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"os"
)

// A file is: magic, length of the description, CRC-32C of description and body, description (JSON), body.
const (
	magic      = "SHC1"
	prefixSize = 12
	maxMeta    = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errDamaged = errors.New("httpcache: damaged file")

// meta describes a kept answer on disk.
type meta struct {
	Key                     string
	Status                  int
	Header                  http.Header
	Vary                    []varyField
	Keys                    []keyHash
	Since                   uint64
	Born, Until, SWR, SIE   int64
	SoftAt                  int64
	NoCache, Strict, ForAll bool
	Etag                    string
}

func encodeEntry(e *entry) ([]byte, error) {
	m := meta{e.key, e.status, e.header, e.vary, e.keys, e.since, e.born, e.until, e.swr, e.sie, e.softAt.Load(), e.noCache, e.strict, e.forAll, e.etag}
	desc, err := json.Marshal(m)
	if err != nil || len(desc) > maxMeta {
		return nil, errors.Join(err, errDamaged)
	}
	b := make([]byte, prefixSize, prefixSize+len(desc)+len(e.body))
	b = append(append(b, desc...), e.body...)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(desc)))
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[prefixSize:], castagnoli))
	return b, nil
}

// decodeEntry reads what encodeEntry wrote; anything else is errDamaged.
func decodeEntry(b []byte) (*entry, error) {
	if len(b) < prefixSize || string(b[:4]) != magic {
		return nil, errDamaged
	}
	n := int(binary.LittleEndian.Uint32(b[4:]))
	if n > maxMeta || n > len(b)-prefixSize || crc32.Checksum(b[prefixSize:], castagnoli) != binary.LittleEndian.Uint32(b[8:]) {
		return nil, errDamaged
	}
	m, err := decodeMeta(b[prefixSize : prefixSize+n])
	if err != nil {
		return nil, err
	}
	e := &entry{key: m.Key, status: m.Status, header: m.Header, body: b[prefixSize+n:], vary: m.Vary, keys: m.Keys, since: m.Since,
		born: m.Born, until: m.Until, swr: m.SWR, sie: m.SIE, noCache: m.NoCache, strict: m.Strict, forAll: m.ForAll, etag: m.Etag}
	e.softAt.Store(m.SoftAt)
	e.finish()
	return e, nil
}

func decodeMeta(b []byte) (meta, error) {
	var m meta
	if err := json.Unmarshal(b, &m); err != nil {
		return m, errors.Join(errDamaged, err)
	}
	if m.Key == "" || m.Status < 200 || m.Status > 999 || m.Header == nil {
		return m, errDamaged
	}
	return m, nil
}

// readMeta reads only the description of a file, for the index; whether the body is whole is found out when it is used.
func readMeta(path string) (m meta, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return m, 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return m, 0, err
	}
	var prefix [prefixSize]byte
	if _, err := io.ReadFull(f, prefix[:]); err != nil || string(prefix[:4]) != magic {
		return m, 0, errDamaged
	}
	n := int64(binary.LittleEndian.Uint32(prefix[4:]))
	if n > maxMeta || n > info.Size()-prefixSize {
		return m, 0, errDamaged
	}
	desc := make([]byte, n)
	if _, err := io.ReadFull(f, desc); err != nil {
		return m, 0, errDamaged
	}
	m, err = decodeMeta(desc)
	return m, info.Size(), err
}
