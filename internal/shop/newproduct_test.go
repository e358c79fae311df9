package shop

import "testing"

func TestSlugify(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                        "product",
		"東京":                      "product",
		"  Blue--Lamp!  ":         "blue-lamp",
		"Men's Käse & Smørrebrød": "mens-kase-smorrebrod",
		"ŒUVRE ß":                 "oeuvre-ss",
		"i\u0307stanbul":          "istanbul",
	} {
		if got := Slugify(name); got != want {
			t.Errorf("Slugify(%q) = %q, want %q", name, got, want)
		}
	}
	long := Slugify("abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz")
	if len(long) > maxSlug || !isSlug(long) {
		t.Errorf("%d bytes: %s", len(long), long)
	}
}

func TestCleanCategory(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"": "", "/": "", "a": "a", "/a//b/ c /": "a/b/c", "Cell Phones/Cases & Clips": "Cell Phones/Cases & Clips"} {
		if got := CleanCategory(path); got != want {
			t.Errorf("CleanCategory(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestCheckedIsStable(t *testing.T) {
	t.Parallel()
	p, err := NewProduct{SKU: " a ", Name: "Name", Category: "/x//y"}.Checked()
	if err != nil || p.SKU != "a" || p.Currency != "USD" || p.Slug != "name" || string(p.Attributes) != "{}" || p.Category != "x/y" {
		t.Fatalf("%+v, %v", p, err)
	}
	if again, err := p.Checked(); err != nil || again.SKU != p.SKU || again.Category != p.Category {
		t.Errorf("%+v, %v", again, err)
	}
}
