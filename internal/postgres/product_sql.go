package postgres

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

// listBounds choose between the ways to a page, in index entries (looked at without touching the table) and rows.
type listBounds struct {
	walkEntries  int   // of a walk along a sort index with filters
	walkRows     int   // of a walk with words, which are looked up in the table
	walkExpected int64 // rows that a search should have to walk past, at most, to be worth a try
	fewEntries   int64 // so many entries are gathered and sorted
	fewRows      int   // so many rows are
	trialRows    int   // so many rows are for several words at once, of which it is not known how often they come together
	likelyFew    int64 // of matches so estimated it is worth a try whether they are that few
	markRows     int   // rows that a step of a search by marks should find, at most
	maxLeaves    int   // categories below one that are merged by price
}

// usualBounds are measured: on a million products each way stays below 10 ms at its bounds.
var usualBounds = listBounds{
	walkEntries: 15_000, walkRows: 3_000, walkExpected: 700, fewEntries: 10_000, fewRows: 5_000, trialRows: 1_200,
	likelyFew: 4_000,
	markRows:  2_000, maxLeaves: 300,
}

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
		" AND CASE WHEN category >= " + s.arg(l.q.Category+"/") + " THEN true ELSE category = " + s.arg(l.q.Category) + " END"
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
	bound, columns, cond := l.walkEntries, "id, "+col+" AS key, price, category, brand, availability", " WHERE true"+l.filters(&s)
	if tsquery != "" {
		bound, columns = l.walkRows, columns+", search"
		cond += " AND search @@ " + s.arg(tsquery) + "::tsquery"
	}
	b := s.arg(bound)
	return l.wrap(s, "(SELECT id, key, false AS bound FROM (SELECT "+columns+from+" LIMIT "+b+") w"+cond+")"+
		" UNION ALL (SELECT id, "+col+", true"+from+" OFFSET "+b+" LIMIT 1) LIMIT "+want)
}

// fetch finds everything that passes the filters, through whichever index the planner likes, and sorts it.
func (l *listing) fetch() statement {
	var s statement
	m := "SELECT " + l.needed(false) + " FROM products" + l.live(&s) + l.filters(&s)
	return l.sorted(s, m, "", "")
}

// gather finds everything that has the words, through the search index (nothing else inside of m could tempt the planner),
// then filters and sorts it. With a bound, it gives up when more than so many products have them: the answer then is
// a bound row, the others are worth nothing.
func (l *listing) gather(tsquery string, most int) statement {
	var s statement
	m := "SELECT " + l.needed(true) + " FROM products WHERE deleted_at IS NULL AND search @@ " + s.arg(tsquery) + "::tsquery"
	over := ""
	if most > 0 {
		n := s.arg(most)
		m += " LIMIT " + n + " + 1"
		over = " UNION ALL (SELECT id, " + l.order.column + ", true FROM m OFFSET " + n + " LIMIT 1)"
	}
	where := l.live(&s) + l.filters(&s)
	return l.sorted(s, m, strings.Replace(where, "deleted_at IS NULL", "true", 1), over)
}

// needed are the columns of m: the order's and those that filters look at later on.
func (l *listing) needed(later bool) string {
	columns := []string{"id"}
	add := func(needed bool, column string) {
		if needed && !slices.Contains(columns, column) {
			columns = append(columns, column)
		}
	}
	add(true, l.order.column)
	add(later && (l.q.MinPrice != nil || l.q.MaxPrice != nil), "price")
	add(later && l.q.InStock != nil, "availability")
	add(later && l.q.Category != "", "category")
	add(later && l.q.Brand != "", "brand")
	return strings.Join(columns, ", ")
}

// sorted reads the page from the rows of m that pass where; more rows may follow it.
func (l *listing) sorted(s statement, m, where, more string) statement {
	col, want := l.order.column, s.arg(l.q.Limit+1)
	f := l.wrap(s, "(SELECT id, "+col+" AS key, false AS bound FROM m"+where+l.ordered(col, "id")+" LIMIT "+want+")"+more)
	f.sql = "WITH m AS MATERIALIZED (" + m + ") " + f.sql
	return f
}

// wrap turns the keys of a page into its products.
func (l *listing) wrap(s statement, keys string) statement {
	order := strings.Replace(l.ordered("k.key", "k.id"), " ORDER BY ", " ORDER BY k.bound, ", 1)
	s.sql = "SELECT " + listColumns + ", k.key, k.bound FROM (" + keys + ") k JOIN products p ON p.id = k.id" + order
	return s
}
