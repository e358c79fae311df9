package cache

import (
	"encoding/binary"
	"errors"
	"time"
)

// recordFormat is the first byte of every value in L2; another one is a miss.
const recordFormat = 1

const flagAbsent = 1

// record is a value as it lies in L2: valid while the epoch and the version of each tag are still those it was stored with.
type record struct {
	absent   bool
	codec    byte
	epoch    string
	expires  time.Time
	tags     []string
	versions []uint64
	payload  []byte
}

var errRecord = errors.New("cache: unreadable record")

func (r *record) encode() []byte {
	size := 32 + len(r.epoch) + len(r.payload)
	for _, t := range r.tags {
		size += len(t) + 2*binary.MaxVarintLen64
	}
	flags := byte(0)
	if r.absent {
		flags = flagAbsent
	}
	b := append(make([]byte, 0, size), recordFormat, flags, r.codec)
	b = appendText(b, r.epoch)
	b = binary.AppendUvarint(b, uint64(r.expires.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(len(r.tags)))
	for i, t := range r.tags {
		b = appendText(b, t)
		b = binary.AppendUvarint(b, r.versions[i])
	}
	return append(b, r.payload...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeRecord reads what encode wrote. The payload points into data.
func decodeRecord(data []byte) (*record, error) {
	if len(data) < 3 || data[0] != recordFormat {
		return nil, errRecord
	}
	r := &record{absent: data[1]&flagAbsent != 0, codec: data[2]}
	d := decoder{data: data[3:]}
	r.epoch = d.text()
	r.expires = time.UnixMilli(int64(d.number()))
	n := d.number()
	if n > uint64(len(d.data)) { // each tag takes at least two bytes
		return nil, errRecord
	}
	r.tags, r.versions = make([]string, n), make([]uint64, n)
	for i := range r.tags {
		r.tags[i], r.versions[i] = d.text(), d.number()
	}
	if d.bad {
		return nil, errRecord
	}
	r.payload = d.data
	return r, nil
}

type decoder struct {
	data []byte
	bad  bool
}

func (d *decoder) number() uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		d.bad, d.data = true, nil
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *decoder) text() string {
	n := d.number()
	if n > uint64(len(d.data)) {
		d.bad, d.data = true, nil
		return ""
	}
	s := string(d.data[:n])
	d.data = d.data[n:]
	return s
}
