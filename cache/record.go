package cache

import (
	"encoding/binary"
	"errors"
	"time"
)

// recordFormat is the first byte of every value in L2; another one is a miss.
const recordFormat = 2

// The second byte.
const (
	flagAbsent = 1 << iota
	flagPacked // the payload is compressed
	flagDictionary
)

// record is a value as it lies in L2: valid while the epoch and the version of each tag are still those it was stored with.
type record struct {
	absent   bool
	packed   bool
	dict     bool
	codec    byte
	epoch    string
	expires  time.Time
	cost     time.Duration // of the load
	raw      uint64        // bytes of the payload when unpacked; 0 when it is not packed
	tags     []string
	versions []uint64
	payload  []byte
}

var errRecord = errors.New("cache: unreadable record")

// size is what the value takes unpacked.
func (r *record) size() int { return int(max(r.raw, uint64(len(r.payload)))) }

func (r *record) flags() (f byte) {
	if r.absent {
		f |= flagAbsent
	}
	if r.packed {
		f |= flagPacked
	}
	if r.dict {
		f |= flagDictionary
	}
	return f
}

func (r *record) encode() []byte {
	size := 48 + len(r.epoch) + len(r.payload)
	for _, t := range r.tags {
		size += len(t) + 2*binary.MaxVarintLen64
	}
	b := append(make([]byte, 0, size), recordFormat, r.flags(), r.codec)
	b = appendText(b, r.epoch)
	b = binary.AppendUvarint(b, uint64(r.expires.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(r.cost.Microseconds()))
	if r.packed {
		b = binary.AppendUvarint(b, r.raw)
	}
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
	r := &record{}
	err := r.decode(data, clone, func(tag []byte, version uint64) string {
		r.versions = append(r.versions, version)
		return string(tag)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func clone(b []byte) string { return string(b) }

// decode is decodeRecord with a choice of how the epoch and then the tags become strings, and what their versions are good for.
func (r *record) decode(data []byte, epoch func([]byte) string, tag func(tag []byte, version uint64) string) error {
	if len(data) < 3 || data[0] != recordFormat {
		return errRecord
	}
	r.absent, r.packed, r.dict, r.codec = data[1]&flagAbsent != 0, data[1]&flagPacked != 0, data[1]&flagDictionary != 0, data[2]
	d := decoder{data: data[3:]}
	r.epoch = epoch(d.text())
	r.expires = time.UnixMilli(int64(d.number()))
	r.cost = time.Duration(min(d.number(), 1<<40)) * time.Microsecond
	if r.packed {
		r.raw = d.number()
	}
	n := d.number()
	if n > uint64(len(d.data)) || r.raw > maxRecord { // each tag takes at least two bytes
		return errRecord
	}
	if n > 0 {
		r.tags = make([]string, n)
	}
	for i := range r.tags {
		name := d.text()
		r.tags[i] = tag(name, d.number())
	}
	if d.bad {
		return errRecord
	}
	r.payload = d.data
	return nil
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

func (d *decoder) text() []byte {
	n := d.number()
	if n > uint64(len(d.data)) {
		d.bad, d.data = true, nil
		return nil
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}
