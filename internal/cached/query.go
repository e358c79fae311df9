package cached

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/stampede-shop/stampede/internal/shop"
)

// maxKey is the longest key written out; longer ones are replaced by their hash.
const maxKey = 200

// queryKey names a query in its normal form.
func queryKey(q shop.ProductQuery) string {
	b := make([]byte, 0, 96)
	b = strconv.AppendInt(b, int64(q.Limit), 10)
	b = append(b, ' ')
	b = strconv.AppendQuote(b, string(q.Sort))
	for _, price := range []*int64{q.MinPrice, q.MaxPrice} {
		b = append(b, ' ')
		if price != nil {
			b = strconv.AppendInt(b, *price, 10)
		}
	}
	b = append(b, ' ')
	if q.InStock != nil {
		b = strconv.AppendBool(b, *q.InStock)
	}
	for _, text := range [...]string{q.Q, q.Category, q.Brand, q.Cursor} {
		b = append(b, ' ')
		b = strconv.AppendQuote(b, text)
	}
	if len(b) <= maxKey {
		return string(b)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
