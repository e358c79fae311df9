package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

func (s *depot) find(t *testing.T, q string) (names []string) {
	t.Helper()
	p, err := s.ListProducts(t.Context(), shop.ProductQuery{Q: q, Sort: shop.SortPrice, Limit: 100})
	if err != nil {
		t.Fatalf("%q: %v", q, err)
	}
	for _, one := range p.Products {
		names = append(names, one.Name)
	}
	return names
}

func searchable(t *testing.T) *depot {
	t.Helper()
	s := newDepot(t)
	for i, p := range []shop.NewProduct{
		{Name: "Samsung Galaxy S7", Brand: "Samsung", Category: "Phones", Description: "A telephone with a bright display."},
		{Name: "Galaxy Case", Brand: "Otter", Category: "Phones/Cases", Description: "Protects your Samsung."},
		{Name: "Wireless Headphones", Brand: "Bose", Category: "Audio", Description: "Quiet comfort."},
		{Name: "Men's T-Shirt", Brand: "Käse & Söhne", Category: "Clothing", Description: "Cotton."},
		{Name: "USB-C Cable 8GB", Brand: "AT&T", Category: "Cables"},
		{Name: "Espresso Machine", Brand: "De'Longhi", Category: "Kitchen", Description: "The machine for coffee."},
		{Name: "Smartphone Holder", Brand: "Fix", Category: "Cars"},
	} {
		p.SKU, p.Price = fmt.Sprint("k", i), int64(i)
		s.create(t, p)
	}
	return s
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s := searchable(t)
	for q, want := range map[string]string{
		"samsung":                        "Samsung Galaxy S7|Galaxy Case",
		"SAMSUNG galaxy":                 "Samsung Galaxy S7|Galaxy Case",
		"galaxy case":                    "Galaxy Case",
		"headphone":                      "Wireless Headphones",
		"the headphones":                 "Wireless Headphones",
		"tshirt":                         "Men's T-Shirt",
		"t-shirts for men":               "Men's T-Shirt",
		"kase sohne":                     "Men's T-Shirt",
		"KÄSE":                           "Men's T-Shirt",
		"at&t":                           "USB-C Cable 8GB",
		"usbc":                           "USB-C Cable 8GB",
		"delonghi":                       "Espresso Machine",
		"samsng":                         "Samsung Galaxy S7|Galaxy Case",
		"galxay":                         "Samsung Galaxy S7|Galaxy Case",
		"hedphones wireles":              "Wireless Headphones",
		"expresso machne":                "Espresso Machine",
		"smartfone":                      "Smartphone Holder",
		"espr":                           "Espresso Machine",
		"samsung espresso":               "",
		"xqzvwkj":                        "",
		"4gb":                            "",
		"...":                            "",
		"🎉 🎉":                            "",
		"%":                              "",
		"'":                              "",
		"the":                            "",
		"' OR 1=1 --":                    "",
		"samsung'); DROP TABLE products": "",
		`\`:                              "",
		"a:* | b & !c <-> 'd'":           "",
		"\x00samsung":                    "Samsung Galaxy S7|Galaxy Case",
		"samsung\xff":                    "Samsung Galaxy S7|Galaxy Case",
		strings.Repeat("samsung ", 25):   "Samsung Galaxy S7|Galaxy Case",
	} {
		if got := strings.Join(s.find(t, q), "|"); got != want {
			t.Errorf("%q finds %q, want %q", q, got, want)
		}
	}
	if got := s.find(t, strings.Repeat("é", 100)); len(got) != 0 {
		t.Errorf("one long word finds %v", got)
	}
}

// What is edited is found by its new words and no longer by the old ones, and a rare misspelling in the catalogue does not
// hide what was meant.
func TestSearchFollowsEdits(t *testing.T) {
	t.Parallel()
	s := searchable(t)
	p := s.create(t, shop.NewProduct{SKU: "new", Name: "Turbofan", Price: 900})
	if got := s.find(t, "turbofan"); !slices.Equal(got, []string{"Turbofan"}) {
		t.Fatalf("found %v", got)
	}
	if _, err := s.ReplaceProduct(t.Context(), "boss", p.ID, shop.NewProduct{SKU: "new", Name: "Ventilator"}, 0); err != nil {
		t.Fatal(err)
	}
	if got := s.find(t, "turbofan"); len(got) != 0 {
		t.Errorf("found %v by a name it had", got)
	}
	if got := s.find(t, "ventilater"); !slices.Equal(got, []string{"Ventilator"}) {
		t.Errorf("found %v", got)
	}
	var items []shop.CatalogItem
	for i := range 60 {
		items = append(items, shop.CatalogItem{Product: shop.NewProduct{SKU: fmt.Sprint("g", i), Name: "Keyboard"}})
	}
	items = append(items, shop.CatalogItem{Product: shop.NewProduct{SKU: "typo", Name: "Keybaord"}})
	if _, err := s.Import(t.Context(), slices.Values(items), postgres.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := s.find(t, "keybaord"); len(got) != 61 {
		t.Errorf("a misspelling that the catalogue has finds %d products, want 61", len(got))
	}
}

// Two letters in the wrong order are put right wherever they stand, also in short words, and nothing else is taken for what was meant.
func TestSearchPutsLettersInOrder(t *testing.T) {
	t.Parallel()
	s := newDepot(t)
	names := []string{"shirt", "mug", "shoe", "case", "cart", "card", "cape", "lamp", "clamp", "chair", "chain", "watch", "table", "cable", "jacket", "blanket"}
	for i, name := range names {
		s.create(t, shop.NewProduct{SKU: fmt.Sprint("w", i), Name: name, Price: int64(i)})
	}
	for _, name := range names {
		for i := range len(name) - 1 {
			typed := name[:i] + name[i+1:i+2] + name[i:i+1] + name[i+2:]
			if len(typed) < 4 || typed == name || strings.HasSuffix(typed, "s") { // the last is taken for a plural
				continue
			}
			if got := s.find(t, typed); !slices.Equal(got, []string{name}) {
				t.Errorf("%q finds %v, want %s", typed, got, name)
			}
		}
	}
	for typed, want := range map[string]string{"sihrt": "shirt", "muug": "mug", "mugg": "mug", "csae": "case", "shrit": "shirt",
		"hirst": "", "thirs": "", "gum": "", "hose": "", "heos": "", "shrti": "", "atchw": "", "ma": "", "s1hrt": "", "blaknte": "blanket"} {
		if got := strings.Join(s.find(t, typed), "|"); got != want {
			t.Errorf("%q finds %q, want %q", typed, got, want)
		}
	}
}
