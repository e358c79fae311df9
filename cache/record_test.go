package cache

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

func FuzzRecord(f *testing.F) {
	r := record{codec: 1, epoch: "e", expires: time.UnixMilli(1), cost: time.Millisecond, packed: true, raw: 7, tags: []string{"a", "b"}, versions: []uint64{1, 1 << 40}, payload: []byte("{}")}
	f.Add(r.encode())
	r.absent, r.packed, r.tags = true, false, nil
	f.Add(r.encode())
	f.Add([]byte{recordFormat, 0, 1, 0, 1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecord(data)
		if err != nil {
			return
		}
		again, err := decodeRecord(r.encode())
		if err != nil || again.absent != r.absent || again.codec != r.codec || again.cost != r.cost || again.raw != r.raw || again.flags() != r.flags() || again.epoch != r.epoch || !again.expires.Equal(r.expires) ||
			!slices.Equal(again.tags, r.tags) || !slices.Equal(again.versions, r.versions) || !bytes.Equal(again.payload, r.payload) {
			t.Fatalf("%+v became %+v, %v", r, again, err)
		}
	})
}

func TestOldFormatMisses(t *testing.T) {
	t.Parallel()
	r := record{codec: 1, epoch: "e", payload: []byte("{}")}
	data := r.encode()
	if _, err := decodeRecord(data); err != nil {
		t.Fatal(err)
	}
	data[0]++
	for _, bad := range [][]byte{data, nil, data[:2], []byte("plain text")} {
		if _, err := decodeRecord(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
