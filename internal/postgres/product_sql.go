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
	fewRows      = 2_000 // so many rows are
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

// within begins with one range, which an index scan can follow; between a path and "path/" other names may lie, "path two".
func (l *listing) within(s *statement) string {
	c := s.arg(l.q.Category)
	return " AND category >= " + c + " AND category < " + s.arg(l.q.Category+"0") +
		" AND (category = " + c + " OR category >= " + s.arg(l.q.Category+"/") + ")"
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
// that it was cut off. A category or a brand is checked in the index first, words in the table.
func (l *listing) walk(tsquery string) statement {
	var s statement
	col, want := l.order.column, s.arg(l.q.Limit+1)
	from := " FROM products" + l.live(&s) + l.ordered(col, "id")
	if tsquery == "" && !l.filtered() {
		return l.wrap(s, "SELECT id, "+col+" AS key, false AS bound"+from+" LIMIT "+want)
	}
	bound, columns := walkEntries, "id, "+col+" AS key, price, category, brand, availability"
	cond, match := " WHERE true"+l.filters(&s), ""
	switch {
	case tsquery == "":
	case l.q.Category == "" && l.q.Brand == "": // nearly every entry has to be looked up: go through the table at once
		bound, columns = walkRows, columns+", search"
		cond += " AND search @@ " + s.arg(tsquery) + "::tsquery"
	default:
		match = " CROSS JOIN LATERAL (SELECT 1 FROM products t WHERE t.id = w.id AND t.search @@ " +
			s.arg(tsquery) + "::tsquery OFFSET 0) m"
	}
	b := s.arg(bound)
	return l.wrap(s, "(SELECT w.id, w.key, false AS bound FROM (SELECT "+columns+from+" LIMIT "+b+") w"+match+cond+")"+
		" UNION ALL (SELECT id, "+col+", true"+from+" OFFSET "+b+" LIMIT 1) LIMIT "+want)
}

// fetch finds everything that matches, through whichever indexes the planner likes, and sorts it.
func (l *listing) fetch(tsquery string) statement {
	var s statement
	where := l.live(&s) + l.filters(&s)
	if tsquery != "" {
		where += " AND search @@ " + s.arg(tsquery) + "::tsquery"
	}
	keys := "SELECT id, key, false AS bound FROM m" + l.ordered("key", "id") + " LIMIT " + s.arg(l.q.Limit+1)
	f := l.wrap(s, keys)
	f.sql = "WITH m AS MATERIALIZED (SELECT id, " + l.order.column + " AS key FROM products" + where + ") " + f.sql
	return f
}

// wrap turns the keys of a page into its products.
func (l *listing) wrap(s statement, keys string) statement {
	order := strings.Replace(l.ordered("k.key", "k.id"), " ORDER BY ", " ORDER BY k.bound, ", 1)
	s.sql = "SELECT " + listColumns + ", k.key, k.bound FROM (" + keys + ") k JOIN products p ON p.id = k.id" + order
	return s
}
