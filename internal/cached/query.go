package cached

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

// maxKey is the longest key written out; longer ones are replaced by their hash.
const maxKey = 200

// queryKey names a query. Defaults, case and spaces of the search text do not make a difference.
func queryKey(q shop.ProductQuery) string {
	if q.Limit == 0 {
		q.Limit = 20
	}
	if q.Sort == "" {
		q.Sort = shop.SortPopular
	}
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
	search := strings.ToLower(strings.Join(strings.Fields(q.Q), " "))
	for _, text := range []string{search, q.Category, q.Brand, q.Cursor} {
		b = append(b, ' ')
		b = strconv.AppendQuote(b, text)
	}
	if len(b) <= maxKey {
		return string(b)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
