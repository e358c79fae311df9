package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/internal/shop"
)

type outcome struct {
	items    []shop.CatalogItem
	bad      []string
	warnings []string
	err      error
}

func readAll(text string, o ReaderOptions) outcome {
	var got outcome
	o.OnBad = func(b Bad) { got.bad = append(got.bad, b.Error()) }
	o.OnWarning = func(line int, m string) { got.warnings = append(got.warnings, fmt.Sprintf("line %d: %s", line, m)) }
	r := NewReader(strings.NewReader(text), o)
	got.items = slices.Collect(r.Items())
	got.err = r.Err()
	return got
}

const sampleNDJSON = "\ufeff" + `{"sku":"A","name":"Lamp","price":12.99,"stock":5,"extra":1}

{"sku":"B","name":"Desk","price":"1.5e1","currency":"EUR","category":"Home/Desks","rating":"4.5","rating_count":3,"popularity":9,"brand":null,"attributes":{"w":1}}
{"sku":"C","name":"Finer","price":1.999}
{"sku":"A","name":"Twin","price":1}
{"sku":"D","price":1,"extra":2}
not json
[1]
{"sku":7,"name":"Number","price":0.10,"attributes":"x"}
{"sku":"E","name":"Neg","price":-1}
{"sku":"F","name":"Stock","price":1,"stock":1.5}
{"sku":8,"name":"Last","price":"2.500"}`

func TestReadNDJSON(t *testing.T) {
	t.Parallel()
	got := readAll(sampleNDJSON, ReaderOptions{})
	wantBad := []string{
		"line 4: price: is finer than a cent",
		"line 5: sku: stood on line 1 already",
		"line 6: name: is missing",
		"line 7: is not JSON: invalid character 'o' in literal null (expecting 'u')",
		"line 8: must be a JSON object",
		"line 9: attributes: must be a JSON object",
		"line 10: price: must be between 0 and 100000000000 minor units",
		"line 11: stock: must be a whole number",
	}
	if diff := cmp.Diff(wantBad, got.bad); diff != "" || got.err != nil {
		t.Error(diff, got.err)
	}
	if diff := cmp.Diff([]string{`line 1: field "extra" is unknown and ignored`}, got.warnings); diff != "" {
		t.Error(diff)
	}
	want := []shop.CatalogItem{
		{Line: 1, Stock: 5, Product: shop.NewProduct{SKU: "A", Name: "Lamp", Slug: "lamp", Price: 1299, Currency: "USD", Attributes: []byte("{}")}},
		{Line: 3, Stock: 1000, Product: shop.NewProduct{SKU: "B", Name: "Desk", Slug: "desk", Price: 1500, Currency: "EUR",
			Category: "Home/Desks", Rating: 4.5, RatingCount: 3, Popularity: 9, Attributes: []byte(`{"w":1}`)}},
		{Line: 12, Stock: 1000, Product: shop.NewProduct{SKU: "8", Name: "Last", Slug: "last", Price: 250, Currency: "USD", Attributes: []byte("{}")}},
	}
	if diff := cmp.Diff(want, got.items); diff != "" {
		t.Error(diff)
	}
}

func TestReadArray(t *testing.T) {
	t.Parallel()
	got := readAll("\n[ {\"sku\":\"A\",\n \"name\":\"a ] , } \\\" \",\"price\":1},\n {\"sku\":\"B\",\"name\" \"b\",\"price\":1} ,\n7,,\n{\"sku\":\"C\",\"name\":\"c\",\"price\":3}\n]\n", ReaderOptions{})
	want := []string{"line 4: is not JSON: invalid character '\"' after object key", "line 5: must be a JSON object", "line 5: is empty: two commas in a row"}
	if diff := cmp.Diff(want, got.bad); diff != "" || got.err != nil {
		t.Error(diff, got.err)
	}
	if len(got.items) != 2 || got.items[0].Line != 2 || got.items[1].Line != 6 {
		t.Errorf("items %+v", got.items)
	}
	for _, broken := range []string{`[{"sku":"A"`, `[`, `[1] x`, `["a]`} {
		if readAll(broken, ReaderOptions{Format: JSON}).err == nil {
			t.Errorf("%s: no error", broken)
		}
	}
}

func TestReadCSV(t *testing.T) {
	t.Parallel()
	stock := int64(4)
	got := readAll("SKU, name,price,description,attributes,shelf\n"+
		"A,Lamp,9.90,\"two\nlines, \"\"quoted\"\"\",\"{\"\"w\"\":1}\",9\n"+
		"B,,1,,,\n"+
		"C,x,1\n"+
		"D,a\"b,1,,,\n"+
		"E,Free,\"1,000\",,,\n"+
		"F,Desk, 20 ,,,\n", ReaderOptions{Stock: &stock})
	want := []string{"line 4: name: is missing", "line 5: has 3 cells, the header has 6", "line 6: is not CSV: bare \" in non-quoted-field",
		"line 7: price: must be a plain decimal number, such as 12.99"}
	if diff := cmp.Diff(want, got.bad); diff != "" || got.err != nil {
		t.Error(diff, got.err)
	}
	if len(got.items) != 2 || got.items[0].Product.Description != "two\nlines, \"quoted\"" || string(got.items[0].Product.Attributes) != `{"w":1}` ||
		got.items[1].Product.Price != 2000 || got.items[1].Stock != 4 || got.items[1].Line != 8 {
		t.Errorf("items %+v", got.items)
	}
	for _, header := range []string{"sku,name\n", "sku,name,price,SKU\n"} {
		if readAll(header, ReaderOptions{Format: CSV}).err == nil {
			t.Errorf("header %q: no error", header)
		}
	}
}

func TestLongRecords(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxRecord+1)
	got := readAll(`{"sku":"A","name":"`+long+"\"}\n"+`{"sku":"B","name":"b","price":1}`, ReaderOptions{})
	if len(got.items) != 1 || len(got.bad) != 1 || got.err != nil {
		t.Errorf("NDJSON: %d items, %v, %v", len(got.items), got.bad, got.err)
	}
	if got := readAll(`[{"sku":"`+long+`"}]`, ReaderOptions{}); !errors.Is(got.err, errTooLong) {
		t.Errorf("array: %v", got.err)
	}
	if got := readAll("sku,name,price\n\""+long+long, ReaderOptions{}); !errors.Is(got.err, errTooLong) {
		t.Errorf("CSV: %v", got.err)
	}
}

func TestReadFailures(t *testing.T) {
	t.Parallel()
	failed := errors.New("disk")
	r := NewReader(iotest.ErrReader(failed), ReaderOptions{})
	if n := len(slices.Collect(r.Items())); n != 0 || !errors.Is(r.Err(), failed) {
		t.Errorf("%d items, %v", n, r.Err())
	}
	for _, none := range []string{"", " \n", "[]", "sku,name,price\n", "\ufeff"} {
		if got := readAll(none, ReaderOptions{}); !errors.Is(got.err, ErrEmpty) || len(got.bad)+len(got.items) != 0 {
			t.Errorf("%q: %+v", none, got)
		}
	}
	if got := readAll("[1]", ReaderOptions{}); got.err != nil || len(got.bad) != 1 {
		t.Errorf("a bad record is a record: %+v", got)
	}
	if got := readAll("x", ReaderOptions{Format: "xml"}); got.err == nil {
		t.Error("unknown format: no error")
	}
	r = NewReader(strings.NewReader(sampleNDJSON), ReaderOptions{})
	for range r.Items() {
		break
	}
	if r.Err() != nil || r.Good() != 1 {
		t.Errorf("stopped by the consumer: %v, %d good", r.Err(), r.Good())
	}
}

func TestParseDecimal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "12.99": 1299, "12.9": 1290, "12": 1200, "0.010": 1, "-3.50": -350, "1e2": 10000,
		"4.999e1": 0, "1.5E+1": 1500, "120e-1": 1200, "00.07": 7, " 5 ": 500} {
		got, err := parseDecimal(text, 2)
		if text == "4.999e1" {
			want = 4999
		}
		if err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]error{"": errNotNumber, ".5": errNotNumber, "5.": errNotNumber, "1,5": errNotNumber, "$1": errNotNumber,
		"+1": errNotNumber, "1e": errNotNumber, "1e99": errNotNumber, "0x10": errNotNumber, "NaN": errNotNumber, "--1": errNotNumber,
		"0.001": errTooFine, "1e-3": errTooFine, "12.345": errTooFine, "99999999999999999999": errTooLarge, "1e30": errTooLarge} {
		if got, err := parseDecimal(text, 2); !errors.Is(err, want) {
			t.Errorf("%q: %d, %v; want %v", text, got, err, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(sampleNDJSON)
	f.Add(`[{"sku":"A","name":"a","price":1}]`)
	f.Add("sku,name,price\nA,a,1\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []Format{"", NDJSON, JSON, CSV} {
			for _, item := range readAll(text, ReaderOptions{Format: format}).items {
				again, err := item.Product.Checked()
				if err != nil || cmp.Diff(item.Product, again) != "" || item.Line < 1 {
					t.Fatalf("%s gave %+v: %v", format, item, err)
				}
			}
		}
	})
}

func FuzzDecimal(f *testing.F) {
	f.Add("12.99")
	f.Add("-1e-2")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseDecimal(text, 2)
		if err != nil {
			return
		}
		sign, abs := "", n
		if n < 0 {
			sign, abs = "-", -n
		}
		if back, err := parseDecimal(fmt.Sprintf("%s%d.%02d", sign, abs/100, abs%100), 2); err != nil || back != n {
			t.Fatalf("%q is %d, which reads as %d, %v", text, n, back, err)
		}
	})
}

// Text in another encoding is named, not stored with replacement characters.
func TestReadInvalidUTF8(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{\"sku\":\"A\",\"name\":\"caf\xe9\",\"price\":1}\n": "line 1: name: must be valid UTF-8",
		"[{\"sku\":\"A\xff\",\"name\":\"N\",\"price\":1}]":   "line 1: sku: must be valid UTF-8",
		"sku,name,price\nA,\"caf\xe9\tb\",1\n":               "line 2: name: must be valid UTF-8",
	} {
		if got := readAll(text, ReaderOptions{}); len(got.items) != 0 || len(got.bad) != 1 || got.bad[0] != want {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
