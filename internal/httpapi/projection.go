package httpapi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

// fields reads the parameter of that name.
func (q *queryParams) fields() shop.FieldSet {
	var names []string
	for part := range strings.SplitSeq(q.raw("fields"), ",") {
		if part = strings.TrimSpace(part); part != "" {
			names = append(names, part)
		}
	}
	set, unknown := fieldSetOf(names)
	for _, name := range unknown {
		q.bad("fields", strconv.Quote(cut(name))+" is not a field of a product")
	}
	return set
}

// fieldSetOf is the choice that names make; no names choose all.
func fieldSetOf(names []string) (set shop.FieldSet, unknown []string) {
	for _, name := range names {
		if i := slices.Index(shop.ProductMembers, name); i >= 0 {
			set |= 1 << i
		} else {
			unknown = append(unknown, name)
		}
	}
	if set == 1<<len(shop.ProductMembers)-1 {
		set = 0
	}
	return set, unknown
}
