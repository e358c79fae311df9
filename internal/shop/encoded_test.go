package shop

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func sample(id int64) Product {
	return Product{ID: id, SKU: "S-" + strconv.FormatInt(id, 10), Name: `A "quoted" <b>&amp;</b> name, [really] {so} \ é` + "\u2028", Price: 199, Currency: "USD",
		Attributes: json.RawMessage(`{"a": [1, {"b": "}],{\""}], "c": "<"}`), Version: 3, Availability: LowStock,
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("x", 3600))}
}

func mustEncode(t *testing.T, p Product) *EncodedProduct {
	t.Helper()
	e, err := EncodeProduct(p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEncodedProduct(t *testing.T) {
	t.Parallel()
	e := mustEncode(t, sample(7))
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tidy(sample(7))); err != nil || !bytes.Equal(plain.Bytes(), e.Line()) {
		t.Fatalf("%v: %s, want %s", err, e.Line(), plain.Bytes())
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(e.JSON(), &members); err != nil || len(members) != len(ProductMembers) {
		t.Fatalf("%v, %d members", err, len(members))
	}
	for i, name := range ProductMembers {
		want := `{"` + name + `":` + string(members[name]) + `}`
		if got := string(e.AppendFields(nil, 1<<i)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := e.AppendFields([]byte("x"), 1<<len(ProductMembers)-1); string(got) != "x"+string(e.JSON()) {
		t.Errorf("all members: %s", got)
	}
	empty := mustEncode(t, Product{})
	if !strings.Contains(string(empty.JSON()), `"attributes":{}`) {
		t.Errorf("no attributes: %s", empty.JSON())
	}
	if _, err := EncodeProduct(Product{Attributes: json.RawMessage("{")}); err == nil {
		t.Error("broken attributes were encoded")
	}
}

// What comes back from a store must be the same bytes: validators are made of them.
func TestEncodedComesBackTheSame(t *testing.T) {
	t.Parallel()
	e := mustEncode(t, sample(7))
	stored, err := e.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var back EncodedProduct
	if err := back.UnmarshalBinary(stored); err != nil || !bytes.Equal(back.Line(), e.Line()) || back.Product.Name != e.Product.Name {
		t.Errorf("%v: %s, want %s", err, back.Line(), e.Line())
	}
	for _, n := range []int{0, 1, 3} {
		page := ProductPage{Next: "n"}
		for i := range n {
			page.Products = append(page.Products, sample(int64(i)))
		}
		p, err := EncodePage(page)
		if err != nil || !json.Valid(p.Line()) {
			t.Fatalf("%v: %s", err, p.Line())
		}
		stored, err := p.MarshalBinary()
		var back EncodedPage
		if err != nil || back.UnmarshalBinary(stored) != nil || !bytes.Equal(back.Line(), p.Line()) || back.Next != "n" || len(back.Products) != n {
			t.Fatalf("page of %d: %v: %+v", n, err, back.Products)
		}
		for i, one := range back.Products {
			want := mustEncode(t, sample(int64(i)))
			if !bytes.Equal(one.Line(), want.Line()) || !bytes.Equal(p.Products[i].Line(), want.Line()) || one.Product.ID != int64(i) {
				t.Errorf("product %d of a page: %s", i, one.Line())
			}
		}
		if got := back.Page().Products; len(got) != n {
			t.Errorf("%d products, want %d", len(got), n)
		}
	}
}

func TestDerived(t *testing.T) {
	t.Parallel()
	var d Derived
	var wg sync.WaitGroup
	got := make([]any, 8)
	for i := range got {
		wg.Go(func() { got[i] = d.Keep(5, i) })
	}
	wg.Wait()
	if got[0] != d.Get(5) || len(slices.Compact(got)) != 1 {
		t.Errorf("several were used: %v", got)
	}
	for key := FieldSet(10); key < 30; key++ {
		if v := d.Keep(key, key); v != key {
			t.Errorf("kept %v under %v", v, key)
		}
	}
	if n := len(*d.list.Load()); n != maxDerived || d.Get(29) != nil || d.Get(10) != FieldSet(10) {
		t.Errorf("%d kept", n)
	}
}
