package analytics

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawEvent makes any event that Check takes.
func drawEvent(t *rapid.T) Event {
	text := rapid.OneOf(rapid.Just(""), rapid.SampledFrom([]string{"a/b", "lamp", "twelve bytes"}), rapid.StringN(0, 40, MaxText))
	e := Event{ID: NewID(), Time: time.UnixMicro(rapid.Int64Range(1e15, 4e15).Draw(t, "time")).UTC(), Kind: Kind(rapid.IntRange(1, int(kinds)-1).Draw(t, "kind")),
		Shopper: rapid.Uint64().Draw(t, "shopper"), Product: rapid.Int64Range(0, math.MaxInt64).Draw(t, "product"), Category: text.Draw(t, "category"),
		Query: text.Draw(t, "query"), Quantity: rapid.Int32Range(0, MaxQuantity).Draw(t, "quantity"), Amount: rapid.Int64Range(-MaxAmount, MaxAmount).Draw(t, "amount"),
		Currency: rapid.SampledFrom([]string{"", "EUR", "USD"}).Draw(t, "currency"), Source: text.Draw(t, "source"), Attributes: text.Draw(t, "attributes")}
	if rapid.IntRange(0, 3).Draw(t, "ordered") == 0 {
		e.Order = NewID()
	}
	if rapid.Bool().Draw(t, "derived") {
		e.ID = DerivedID(e.ID.String())
	}
	return e
}

func TestCodecRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(drawEvent), 0, 50).Draw(t, "events")
		b := Batch{Received: rapid.Int64().Draw(t, "received")}
		for i := range events {
			if err := events[i].Check(); err != nil {
				t.Fatal(err)
			}
			b.Add(&events[i])
		}
		raw := b.Append([]byte("before"))[6:]
		if len(raw) > b.Size()+headerSize+9*12+8 {
			t.Errorf("%d bytes, estimated %d", len(raw), b.Size())
		}
		got := Batch{Dict: []string{"", "stale"}, Kinds: make([]uint8, 3)} // memory used before
		if err := got.Decode(raw); err != nil {
			t.Fatal(err)
		}
		if got.Received != b.Received || got.Len() != len(events) {
			t.Fatalf("%d events received %d", got.Len(), got.Received)
		}
		for i, want := range events {
			if diff := cmp.Diff(want, got.Event(i)); diff != "" {
				t.Fatalf("event %d: %s", i, diff)
			}
		}
	})
}

// TestDecodeMendsTexts guards the store: DuckDB refuses a whole transaction for one text that is not UTF-8.
func TestDecodeMendsTexts(t *testing.T) {
	t.Parallel()
	var b, out Batch
	b.Add(&Event{ID: NewID(), Time: time.Now(), Kind: KindSearch, Query: "a\xff", Category: "ü"})
	if err := out.Decode(b.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if e := out.Event(0); e.Query != "a\uFFFD" || e.Category != "ü" {
		t.Errorf("query %q, category %q", e.Query, e.Category)
	}
}

func TestCodecFindsDamage(t *testing.T) {
	t.Parallel()
	raw := sample(20).Append(nil)
	for i := range raw {
		broken := bytes.Clone(raw)
		broken[i] ^= 0x10
		if err := new(Batch).Decode(broken); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if err := new(Batch).Decode(raw[:i]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// sample is a batch of n views.
func sample(n int) *Batch {
	b := &Batch{Received: 1}
	for i := range n {
		e := Event{ID: NewID(), Time: time.UnixMicro(1.7e15 + int64(i)), Kind: KindView, Shopper: uint64(i) << 40, Product: int64(i), Category: "home/lamps"}
		b.Add(&e)
	}
	return b
}

func TestKeep(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(drawEvent), 1, 20).Draw(t, "events")
		var b Batch
		var want []Event
		keep := make([]bool, len(events))
		for i := range events {
			b.Add(&events[i])
			if keep[i] = rapid.Bool().Draw(t, "keep"); keep[i] {
				want = append(want, events[i])
			}
		}
		b.Keep(keep)
		var got []Event
		for i := range b.Len() {
			got = append(got, b.Event(i))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// What is decoded is used as it is: it must be consistent whatever came, checksum or not.
func FuzzDecode(f *testing.F) {
	f.Add(sample(3).Append(nil))
	f.Add((&Batch{}).Append(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) >= 4 { // a checksum that is right leads the fuzzer in
			raw = seal(raw[:len(raw)-4])
		}
		var b Batch
		if b.Decode(raw) != nil {
			return
		}
		for i := range b.Len() {
			b.Event(i)
		}
		var again Batch
		if err := again.Decode(b.Append(nil)); err != nil || again.Len() != b.Len() {
			t.Fatal(err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	batch := sample(8192)
	var buf []byte
	for b.Loop() {
		buf = batch.Append(buf[:0])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/8192, "ns/event")
	b.ReportMetric(float64(len(buf))/8192, "B/event")
}

func BenchmarkDecode(b *testing.B) {
	raw := sample(8192).Append(nil)
	var batch Batch
	for b.Loop() {
		if err := batch.Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/8192, "ns/event")
}

func seal(body []byte) []byte {
	return binary.LittleEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, castagnoli))
}
