package postgres

import "github.com/stampede-shop/stampede/internal/shop"

// SetListBounds makes lists take their ways at other sizes than usual, in the order of listBounds' fields.
func (c *Catalog) SetListBounds(b [9]int) {
	c.bounds = listBounds{b[0], b[1], int64(b[2]), int64(b[3]), b[4], b[5], int64(b[6]), b[7], b[8]}
}

// FirstStatement is what a list without words runs when its filters let much through.
func FirstStatement(q shop.ProductQuery) (string, []any, error) {
	l, err := newListing(q, usualBounds)
	if err != nil {
		return "", nil, err
	}
	s := l.walk("")
	if l.byPrice() && q.Category != "" {
		s = l.leaves()
	}
	return s.sql, s.args, nil
}
