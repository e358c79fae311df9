package shop

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func anyProduct(t *rapid.T) Product {
	text := rapid.String()
	at := func(name string) time.Time {
		return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, name), rapid.Int64Range(0, 999_999_999).Draw(t, name+" ns")).UTC()
	}
	attributes, err := json.Marshal(map[string]any{text.Draw(t, "key"): []string{text.Draw(t, "value")}, "n": rapid.Float64().Draw(t, "n")})
	if err != nil {
		t.Fatal(err)
	}
	return Product{ID: rapid.Int64().Draw(t, "id"), SKU: text.Draw(t, "sku"), Name: text.Draw(t, "name"), Slug: text.Draw(t, "slug"),
		Description: text.Draw(t, "description"), Brand: text.Draw(t, "brand"), Category: text.Draw(t, "category"), Price: rapid.Int64().Draw(t, "price"),
		Currency: text.Draw(t, "currency"), ImageURL: text.Draw(t, "image"), Rating: rapid.Float64().Draw(t, "rating"), RatingCount: rapid.Int64().Draw(t, "count"),
		Attributes: attributes, Availability: Availability(text.Draw(t, "availability")), Version: rapid.Int64().Draw(t, "version"),
		CreatedAt: at("created"), UpdatedAt: at("updated")}
}

// Whatever a product says, what is read back is what encoding/json reads.
func TestProductsAreReadAsJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyProduct(t)
		page, err := EncodePage(ProductPage{Products: []Product{p, p}, Next: p.Name})
		if err != nil {
			t.Fatal(err)
		}
		var want []Product
		if err := json.Unmarshal(page.Line(), &want); err != nil {
			t.Fatal(err)
		}
		stored, _ := page.MarshalBinary()
		var back EncodedPage
		if err := back.UnmarshalBinary(stored); err != nil || !reflect.DeepEqual(back.Page(), ProductPage{Products: want, Next: p.Name}) {
			t.Fatalf("%v: %+v, want %+v", err, back.Page(), want)
		}
	})
}

// What is not as it was written is refused; nothing of it is kept.
func TestBrokenProductsAreRefused(t *testing.T) {
	t.Parallel()
	one, err := EncodeProduct(sample(7))
	if err != nil {
		t.Fatal(err)
	}
	line := string(one.Line())
	bad := []string{"", "7", "{}", "{}\n", line[1:], line[:len(line)-1], line + line, strings.Replace(line, `"brand"`, `"Brand"`, 1),
		strings.Replace(line, `,"price":199`, "", 1), strings.Replace(line, ":199,", ":1x9,", 1), strings.Replace(line, `{"a"`, `{"a`, 1),
		strings.Replace(line, `"sku":"S`, "\"sku\":\"\x01S", 1), strings.Replace(line, "2026-", "2026/", 1)}
	for _, text := range bad {
		var p EncodedProduct
		if p.UnmarshalBinary([]byte(text)) == nil || p.JSON() != nil {
			t.Errorf("%q was taken", text)
		}
		var page EncodedPage
		if page.UnmarshalBinary([]byte("\x01n["+strings.TrimSuffix(text, "\n")+"]\n")) == nil || page.Line() != nil {
			if text != line[:len(line)-1] && strings.TrimSuffix(text, "\n") != "" {
				t.Errorf("%q was taken in a page", text)
			}
		}
	}
	for _, text := range []string{"", "\x05abc", "\x00[]", "\x00[]\n\n", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01[]\n"} {
		if new(EncodedPage).UnmarshalBinary([]byte(text)) == nil {
			t.Errorf("%q was taken for a page", text)
		}
	}
}

// Of any bytes, what is taken says what encoding/json says, if that takes them.
func FuzzProductReader(f *testing.F) {
	one, err := EncodeProduct(sample(7))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(one.Line())
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = new(EncodedPage).UnmarshalBinary(data)
		_ = new(EncodedPage).UnmarshalBinary(append([]byte("\x00["), data...))
		var p EncodedProduct
		var want Product
		if !utf8.Valid(data) || p.UnmarshalBinary(data) != nil || json.Unmarshal(data, &want) != nil {
			return
		}
		if !reflect.DeepEqual(p.Product, want) {
			t.Errorf("%+v, want %+v", p.Product, want)
		}
	})
}

func BenchmarkPageFromStore(b *testing.B) {
	page := ProductPage{}
	for i := range int64(24) {
		p := sample(i)
		p.Name, p.Description = "Copper saucepan", strings.Repeat("Heats evenly, and looks well on a shelf. ", 8)
		page.Products = append(page.Products, p)
	}
	e, err := EncodePage(page)
	if err != nil {
		b.Fatal(err)
	}
	stored, _ := e.MarshalBinary()
	b.SetBytes(int64(len(stored)))
	b.ReportAllocs()
	for b.Loop() {
		if err := new(EncodedPage).UnmarshalBinary(stored); err != nil {
			b.Fatal(err)
		}
	}
}
