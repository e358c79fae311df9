package shop

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// errNotEncoded is for bytes that this program did not write.
var errNotEncoded = errors.New("shop: not the JSON of products as it is stored")

// productReader reads products back from the JSON that EncodeProduct wrote: compact, all members, in their order. It is for what comes
// out of the shared cache, where reading JSON of any form took most of the time of an answer. O(bytes), a few allocations a product:
// strings are parts of one copy of the text. What has another form is refused, not guessed at.
type productReader struct {
	text   string
	at     int
	failed bool
}

func newProductReader(data []byte) *productReader { return &productReader{text: string(data)} }

// done is an error when something was not as expected, or more follows.
func (r *productReader) done() error {
	if r.failed || r.at != len(r.text) {
		return errNotEncoded
	}
	return nil
}

func (r *productReader) product() (p Product) {
	r.word(`{"id":`)
	p.ID = r.integer()
	r.word(`,"sku":`)
	p.SKU = r.quoted()
	r.word(`,"name":`)
	p.Name = r.quoted()
	r.word(`,"slug":`)
	p.Slug = r.quoted()
	r.word(`,"description":`)
	p.Description = r.quoted()
	r.word(`,"brand":`)
	p.Brand = r.quoted()
	r.word(`,"category":`)
	p.Category = r.quoted()
	r.word(`,"price":`)
	p.Price = r.integer()
	r.word(`,"currency":`)
	p.Currency = r.quoted()
	r.word(`,"image_url":`)
	p.ImageURL = r.quoted()
	r.word(`,"rating":`)
	p.Rating = r.number()
	r.word(`,"rating_count":`)
	p.RatingCount = r.integer()
	r.word(`,"attributes":`)
	p.Attributes = r.object()
	r.word(`,"availability":`)
	p.Availability = Availability(r.quoted())
	r.word(`,"version":`)
	p.Version = r.integer()
	r.word(`,"created_at":`)
	p.CreatedAt = r.time()
	r.word(`,"updated_at":`)
	p.UpdatedAt = r.time()
	r.word(`}`)
	return p
}

// word reads exactly that.
func (r *productReader) word(w string) {
	if end := r.at + len(w); !r.failed && end <= len(r.text) && r.text[r.at:end] == w {
		r.at = end
		return
	}
	r.failed = true
}

// skip reads a character if it is the next one.
func (r *productReader) skip(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

// quoted reads a string.
func (r *productReader) quoted() string {
	from, plain := r.at, true
	r.word(`"`)
	for ; !r.failed && r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			if plain {
				return r.text[from+1 : r.at-1]
			}
			var s string
			r.failed = json.Unmarshal([]byte(r.text[from:r.at]), &s) != nil
			return s
		case c == '\\':
			plain = false
			r.at++
		case c < ' ':
			r.failed = true
		}
	}
	r.failed = true
	return ""
}

// upTo is what stands before the comma or the bracket that ends a number.
func (r *productReader) upTo() string {
	if r.failed {
		return ""
	}
	from := r.at
	for r.at < len(r.text) && r.text[r.at] != ',' && r.text[r.at] != '}' {
		r.at++
	}
	return r.text[from:r.at]
}

func (r *productReader) integer() int64 {
	n, err := strconv.ParseInt(r.upTo(), 10, 64)
	r.failed = r.failed || err != nil
	return n
}

func (r *productReader) number() float64 {
	f, err := strconv.ParseFloat(r.upTo(), 64)
	r.failed = r.failed || err != nil
	return f
}

func (r *productReader) time() time.Time {
	t, err := time.Parse(time.RFC3339Nano, r.quoted())
	r.failed = r.failed || err != nil
	return t
}

// object reads JSON whose form is not ours.
func (r *productReader) object() json.RawMessage {
	from, depth, inString := r.at, 0, false
	for ; !r.failed && r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case inString && c == '\\':
			r.at++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth == 0 && r.at < len(r.text) {
			r.at++
			raw := json.RawMessage(r.text[from:r.at])
			r.failed = raw[0] != '{' || !json.Valid(raw)
			return raw
		}
	}
	r.failed = true
	return nil
}
