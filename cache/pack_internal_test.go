package cache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

func benchSamples(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([][]byte, n)
	for i := range out {
		out[i], _ = json.Marshal(map[string]any{"id": r.IntN(1e6), "sku": fmt.Sprintf("SKU-%06d", r.IntN(1e6)), "name": fmt.Sprint("Product ", r.IntN(1e6)),
			"description": fmt.Sprint("A product of number ", r.IntN(1e6), " made of material ", r.IntN(100), " for whoever needs ", r.IntN(1000)),
			"category":    "home/kitchen/kettles", "price": r.IntN(20000), "currency": "EUR", "image_url": fmt.Sprintf("/images/%d.webp", r.IntN(1e6)),
			"attributes": map[string]any{"material": "steel", "volume_ml": r.IntN(3000)}, "availability": "in_stock", "created_at": "2026-01-02T03:04:05Z"})
	}
	return out
}

// catalogueSamples are the lines of the catalogue that STAMPEDE_CATALOG names, a JSON object each, in an order without meaning; made-up
// products if it names none.
func catalogueSamples(b *testing.B, n int) [][]byte {
	path := os.Getenv("STAMPEDE_CATALOG")
	if path == "" {
		return benchSamples(n)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return lines[:min(n, len(lines))]
}

// BenchmarkPack measures compression of product documents: its ratio, and what packing and unpacking cost. The dictionary is trained on
// other documents than those that are packed.
func BenchmarkPack(b *testing.B) {
	all := catalogueSamples(b, 3000)
	dictionary, err := TrainDictionary(all[:len(all)/2], 40_001, 16<<10)
	if err != nil {
		b.Fatal(err)
	}
	docs := all[len(all)/2:]
	for name, d := range map[string][]byte{"plain": nil, "dictionary": dictionary} {
		p, err := newPacker(d)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/pack", func(b *testing.B) {
			var in, out int
			for i := 0; b.Loop(); i++ {
				var r record
				p.pack(&r, docs[i%len(docs)], 1)
				in, out = in+len(docs[i%len(docs)]), out+len(r.payload)
			}
			b.ReportMetric(float64(in)/float64(out), "ratio")
			b.ReportMetric(float64(in)/float64(b.N), "bytes/doc")
		})
		b.Run(name+"/unpack", func(b *testing.B) {
			packed := make([]record, len(docs))
			for i := range packed {
				p.pack(&packed[i], docs[i], 1)
			}
			for i := 0; b.Loop(); i++ {
				got, err := p.unpack(&packed[i%len(docs)])
				if err != nil || !bytes.Equal(got, docs[i%len(docs)]) {
					b.Fatal(err)
				}
			}
		})
		p.close()
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	at := func(word string, n, k uint64) reading { return reading{moment{word + ".0", n}, k} }
	var l ledger
	beat := func(m reading, want bool) {
		t.Helper()
		if got := l.beat(m); got != want {
			t.Errorf("beat %+v says %v", m, got)
		}
	}
	beat(at("a", 5, 0), false) // everything before we came counts as heard
	l.hear(at("a", 7, 0), true, false, false)
	beat(at("a", 7, 0), false) // 6 may still be on its way
	l.hear(at("a", 6, 0), true, false, false)
	beat(at("a", 8, 0), false)
	beat(at("a", 8, 0), true) // 8 was due at the last beat
	beat(at("a", 8, 0), false)
	beat(at("a", 8, 1), false)
	beat(at("a", 8, 1), true) // a key
	beat(reading{moment{"a.1", 8}, 1}, false)
	beat(reading{moment{"a.1", 8}, 1}, true) // a clear
	beat(at("b", 3, 0), false)               // Redis lost its memory
	beat(at("b", 3, 0), false)
	l.hear(at("", 9, 9), true, true, true) // a sender without Redis has no numbers
	beat(at("b", 3, 0), false)
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	var h histogram
	for range 98 {
		h.add(time.Microsecond)
	}
	h.addN(time.Millisecond, 2)
	if l := h.summary(); l.Count != 100 || l.P50 != 1024 || l.P99 != 1<<20 {
		t.Errorf("%+v", l)
	}
}
