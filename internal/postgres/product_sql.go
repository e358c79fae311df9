package postgres

import (
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Bounds of the ways to a page, in index entries (looked at without touching the table) and rows of the table.
const (
	walkEntries  = 20_000
	walkRows     = 3_000
	walkExpected = 700   // rows that a search should have to walk past, at most, to be worth a try
	fewEntries   = 5_000 // so many entries are gathered and sorted
	fewRows      = 1_500 // so many rows are
	likelyFew    = 8_000 // of matches so estimated it is worth counting whether they are that few
	maxLeaves    = 300   // categories below one that are merged by price
)

const listColumns = `p.id, p.sku, p.name, p.slug, p.description, p.brand, p.category, p.price, p.currency, p.image_url,
	p.rating, p.rating_count, p.attributes, p.availability, p.version, p.created_at, p.updated_at`

// statement is SQL put together from the fixed fragments below; what users send is only ever in args.
type statement struct {
	sql  string
	args []any
}

func (s *statement) arg(v any) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args))
}

// ordered is the ORDER BY of l on columns with a prefix such as "k.".
func (l *listing) ordered(key, id string) string {
	dir := " ASC"
	if l.order.desc {
		dir = " DESC"
	}
	if l.order.column == "id" {
		return " ORDER BY " + id + dir
	}
	return " ORDER BY " + key + dir + ", " + id + dir
}

// live is the condition that every index of lists has, with the part of the order that pages before this one did not show.
func (l *listing) live(s *statement) string {
	where := " WHERE deleted_at IS NULL"
	if l.after != nil {
		op := " > "
		if l.order.desc {
			op = " < "
		}
		if l.order.column == "id" {
			where += " AND id" + op + s.arg(l.after.id)
		} else {
			where += " AND (" + l.order.column + ", id)" + op + "(" + s.arg(l.order.arg(*l.after)) + ", " + s.arg(l.after.id) + ")"
		}
	}
	if l.order.column == "price" {
		where += l.priced(s)
		if l.q.Brand != "" { // walk the brand's own index, which is in this order
			where += " AND brand = " + s.arg(l.q.Brand)
		}
	}
	return where
}

func (l *listing) priced(s *statement) (cond string) {
	if l.q.MinPrice != nil {
		cond += " AND price >= " + s.arg(*l.q.MinPrice)
	}
	if l.q.MaxPrice != nil {
		cond += " AND price <= " + s.arg(*l.q.MaxPrice)
	}
	return cond
}

// filters are the conditions that live does not cover, each with AND in front. What is below a category lies between
// "path/" and "path0" in byte order, because '0' is the character after '/'.
func (l *listing) filters(s *statement) (cond string) {
	if l.q.Category != "" {
		cond += l.within(s)
	}
	if l.q.Brand != "" && l.order.column != "price" {
		cond += " AND brand = " + s.arg(l.q.Brand)
	}
	cond += l.stocked()
	if l.order.column != "price" {
		cond += l.priced(s)
	}
	return cond
}

// within begins with a range, which an index scan can follow; between a path and "path/" other names may lie, such as
// "path two". The second part is written so that the planner does not try to use an index for it.
func (l *listing) within(s *statement) string {
	return " AND category >= " + s.arg(l.q.Category) + " AND category < " + s.arg(l.q.Category+"0") +
		" AND starts_with(category || '/', " + s.arg(l.q.Category+"/") + ")"
}

func (l *listing) stocked() string {
	switch {
	case l.q.InStock == nil:
		return ""
	case *l.q.InStock:
		return " AND availability <> '" + string(shop.SoldOut) + "'"
	default:
		return " AND availability = '" + string(shop.SoldOut) + "'"
	}
}

// walk reads the page off the sort's index. With filters or words the walk is bounded, and a last row with bound set says
// that it was cut off. Filters are checked in the index, words in the table.
func (l *listing) walk(tsquery string) statement {
	var s statement
	col, want := l.order.column, s.arg(l.q.Limit+1)
	from := " FROM products" + l.live(&s) + l.ordered(col, "id")
	if tsquery == "" && !l.filtered() {
		return l.wrap(s, "SELECT id, "+col+" AS key, false AS bound"+from+" LIMIT "+want)
	}
	bound, columns, cond := walkEntries, "id, "+col+" AS key, price, category, brand, availability", " WHERE true"+l.filters(&s)
	if tsquery != "" {
		bound, columns = walkRows, columns+", search"
		cond += " AND search @@ " + s.arg(tsquery) + "::tsquery"
	}
	b := s.arg(bound)
	return l.wrap(s, "(SELECT id, key, false AS bound FROM (SELECT "+columns+from+" LIMIT "+b+") w"+cond+")"+
		" UNION ALL (SELECT id, "+col+", true"+from+" OFFSET "+b+" LIMIT 1) LIMIT "+want)
}

// fetch finds everything that passes the filters, through whichever index the planner likes, and sorts it.
func (l *listing) fetch() statement {
	var s statement
	columns := "id"
	if l.order.column != "id" {
		columns += ", " + l.order.column
	}
	m := "SELECT " + columns + " FROM products" + l.live(&s) + l.filters(&s)
	return l.sorted(s, m, "")
}

// gather finds everything that has the words, through the search index (nothing else inside of m could tempt the planner),
// then filters and sorts it.
func (l *listing) gather(tsquery string) statement {
	var s statement
	m := "SELECT id, popularity, rating, price, category, brand, availability, deleted_at FROM products" +
		" WHERE deleted_at IS NULL AND search @@ " + s.arg(tsquery) + "::tsquery"
	return l.sorted(s, m, l.live(&s)+l.filters(&s))
}

// sorted reads the page from the rows of m that pass where.
func (l *listing) sorted(s statement, m, where string) statement {
	col, want := l.order.column, s.arg(l.q.Limit+1)
	f := l.wrap(s, "SELECT id, "+col+" AS key, false AS bound FROM m"+where+l.ordered(col, "id")+" LIMIT "+want)
	f.sql = "WITH m AS MATERIALIZED (" + m + ") " + f.sql
	return f
}

// wrap turns the keys of a page into its products.
func (l *listing) wrap(s statement, keys string) statement {
	order := strings.Replace(l.ordered("k.key", "k.id"), " ORDER BY ", " ORDER BY k.bound, ", 1)
	s.sql = "SELECT " + listColumns + ", k.key, k.bound FROM (" + keys + ") k JOIN products p ON p.id = k.id" + order
	return s
}
