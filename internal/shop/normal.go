package shop

import "strings"

// Normal is q with its defaults written out and without differences that mean nothing, so that queries that mean the same
// are the same: letter case and blanks of the search text, untidy category paths, a lowest price of nothing.
func (q ProductQuery) Normal() ProductQuery {
	if q.Limit == 0 {
		q.Limit = 20
	}
	if q.Sort == "" {
		q.Sort = SortPopular
	}
	q.Q = strings.ToLower(strings.Join(strings.Fields(q.Q), " "))
	q.Category = CleanCategory(q.Category)
	if q.MinPrice != nil && *q.MinPrice == 0 {
		q.MinPrice = nil
	}
	return q
}

// Filters is q without what is not a filter, in its normal form: which page of which order.
func (q ProductQuery) Filters() ProductQuery {
	q = q.Normal()
	q.Limit, q.Sort, q.Cursor = 0, "", ""
	return q
}

// Narrows tells whether any filter is set.
func (q ProductQuery) Narrows() bool {
	return q.Q != "" || q.Category != "" || q.Brand != "" || q.MinPrice != nil || q.MaxPrice != nil || q.InStock != nil
}
