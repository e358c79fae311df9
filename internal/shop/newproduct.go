package shop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a product's fields. Lengths are in characters, MaxAttributes in bytes.
const (
	MaxSKU         = 64
	MaxName        = 300
	MaxDescription = 20_000
	MaxBrand       = 120
	MaxCategory    = 300
	MaxImageURL    = 2000
	MaxAttributes  = 16 << 10
	MaxPrice       = 100_000_000_000 // minor units; a full cart of these still fits an int64
	MaxPopularity  = math.MaxInt64 / 2
)

// CatalogItem is a product as an import file or a generator supplies it, with its initial stock in units.
// Line is where it stood in the file, from 1; 0 when there is no file.
type CatalogItem struct {
	Product NewProduct
	Stock   int64
	Line    int
}

// Checked applies the defaults and returns the product as it is to be stored, or CodeInvalid naming every wrong field.
// Surrounding space is removed from texts, surrounding and doubled slashes from the category.
func (p NewProduct) Checked() (NewProduct, error) {
	p.SKU, p.Name, p.Brand = strings.TrimSpace(p.SKU), strings.TrimSpace(p.Name), strings.TrimSpace(p.Brand)
	p.Slug, p.ImageURL, p.Currency = strings.TrimSpace(p.Slug), strings.TrimSpace(p.ImageURL), strings.TrimSpace(p.Currency)
	p.Category = CleanCategory(p.Category)
	if p.Currency == "" {
		p.Currency = "USD"
	}
	if p.Slug == "" {
		p.Slug = Slugify(p.Name)
	}
	var c fieldCheck
	c.text("sku", p.SKU, MaxSKU, true)
	c.text("name", p.Name, MaxName, true)
	c.text("slug", p.Slug, MaxName, true)
	c.prose("description", p.Description, MaxDescription)
	c.text("brand", p.Brand, MaxBrand, false)
	c.text("category", p.Category, MaxCategory, false)
	c.text("image_url", p.ImageURL, MaxImageURL, false)
	c.that(isSlug(p.Slug), "slug", "must consist of a-z, 0-9 and hyphens")
	c.that(p.Price >= 0 && p.Price <= MaxPrice, "price", "must be between 0 and %d minor units", int64(MaxPrice))
	c.that(isCurrency(p.Currency), "currency", "must be three capital letters, such as USD")
	c.that(isImageURL(p.ImageURL), "image_url", "must begin with https://, http:// or /")
	c.that(p.Rating >= 0 && p.Rating <= 5, "rating", "must be between 0 and 5") // also refuses NaN
	c.that(p.RatingCount >= 0, "rating_count", "must not be negative")
	c.that(p.Popularity >= 0 && p.Popularity <= MaxPopularity, "popularity", "must be between 0 and %d", int64(MaxPopularity))
	p.Attributes = c.attributes(p.Attributes)
	return p, c.err()
}

// CleanCategory brings a category path into its one form: segments without surrounding space, none empty.
func CleanCategory(path string) string {
	if path == "" {
		return ""
	}
	segments := strings.Split(path, "/")
	kept := segments[:0]
	for _, s := range segments {
		if s = strings.TrimSpace(s); s != "" {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, "/")
}

type fieldCheck struct{ fields []FieldError }

func (c *fieldCheck) that(ok bool, field, format string, args ...any) {
	if !ok {
		c.fields = append(c.fields, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
}

// text checks a one-line text.
func (c *fieldCheck) text(field, s string, most int, required bool) {
	c.that(!required || s != "", field, "must not be empty")
	c.prose(field, s, most)
	c.that(!strings.ContainsFunc(s, unicode.IsControl), field, "must not contain control characters")
}

// prose checks a text that may have several lines.
func (c *fieldCheck) prose(field, s string, most int) {
	c.that(utf8.ValidString(s), field, "must be valid UTF-8")
	c.that(len(s) <= most || utf8.RuneCountInString(s) <= most, field, "must have at most %d characters", most)
	c.that(!strings.ContainsRune(s, 0), field, "must not contain NUL characters")
}

func (c *fieldCheck) attributes(raw json.RawMessage) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return json.RawMessage("{}")
	}
	c.that(len(raw) <= MaxAttributes, "attributes", "must have at most %d bytes", MaxAttributes)
	c.that(raw[0] == '{' && utf8.Valid(raw) && json.Valid(raw), "attributes", "must be a JSON object")
	c.that(!bytes.Contains(raw, []byte(`\u0000`)), "attributes", "must not contain NUL characters")
	return raw
}

func (c *fieldCheck) err() error {
	if len(c.fields) == 0 {
		return nil
	}
	f := c.fields[0]
	return &Error{Code: CodeInvalid, Detail: f.Field + ": " + f.Message, Fields: c.fields}
}

func isSlug(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func isCurrency(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func isImageURL(s string) bool {
	return s == "" || strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "/")
}
