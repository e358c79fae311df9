package index

import (
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/sqltune/plan"
	"github.com/stampede-shop/stampede/sqltune/schema"
	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// Term is what a condition compares: a column, or an expression on columns of one table.
type Term struct {
	Text   string         // as an index would have it
	Column *schema.Column // of a plain column, when the schema is known
	Plain  bool           // is a plain column
	Stable bool           // may have another value tomorrow, so that no index can hold it
	Op     string         // how it is compared
	Value  string         // with what, as the plan has it
	Fixed  bool           // that is the same for all rows of the statement
	Of     string         // name of the first column in it
	Expr   *sqltext.Expr  `json:"-"`
}

// Need is what a scan asks of its table.
type Need struct {
	Node    *plan.Node
	Schema  string
	Name    string
	Table   *schema.Table // nil when the schema is not known
	Equal   []Term        // = and IN
	Range   []Term        // < > <= >= and patterns with a known beginning
	Special []Term        // operators that GIN or GiST look up
	Tests   []Term        // IS NULL, flags: what a partial index can have as predicate
	Joins   []Term        // compared with columns of other tables, above the scan
	Other   []Term        // conditions that no index serves
	Order   []OrderKey    // what the rows are sorted by before a LIMIT
	Output  []string      // columns that are read, when the plan tells
}

// OrderKey is one key of a sort.
type OrderKey struct {
	Text   string
	Desc   bool
	Suffix string // NULLS FIRST or LAST where it is not the usual one
}

// Scans tells whether a node reads a table and may have conditions.
func Scans(n *plan.Node) bool {
	switch n.Type {
	case "Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Sample Scan":
		return n.Relation != ""
	}
	return false
}

// NeedOf reads what a scan needs. The schema may be nil.
func NeedOf(n *plan.Node, s *schema.Schema) Need {
	d := Need{Node: n, Schema: n.Schema, Name: n.Relation, Table: s.Table(n.Schema, n.Relation)}
	for _, cond := range []string{n.IndexCond, n.Filter} {
		for _, c := range sqltext.ParseExpr(cond).Conjuncts() {
			d.add(c)
		}
	}
	if n.Type == "Bitmap Heap Scan" {
		for _, c := range sqltext.ParseExpr(n.RecheckCond).Conjuncts() {
			d.add(c)
		}
	}
	d.joins()
	d.order()
	for _, o := range n.Output {
		if e := sqltext.ParseExpr(o); e != nil && e.Op == sqltext.ColumnRef {
			d.Output = append(d.Output, e.Name)
		}
	}
	return d
}

// Empty tells whether there is nothing that an index could serve.
func (d *Need) Empty() bool {
	return len(d.Equal)+len(d.Range)+len(d.Special)+len(d.Tests)+len(d.Joins)+len(d.Order) == 0
}

// own tells whether a column is one of the scanned table: plans name the table of a column only where there are several.
func (d *Need) own(c *sqltext.Expr) bool {
	return c.Table == "" || c.Table == d.Node.Alias || (d.Node.Alias == "" && c.Table == d.Name)
}

// sides tells which columns an expression reads: some of this table, some of others.
func (d *Need) sides(e *sqltext.Expr) (own, foreign bool) {
	for _, c := range e.Columns() {
		if d.own(c) {
			own = true
		} else {
			foreign = true
		}
	}
	return own, foreign
}

var flipped = map[string]string{"=": "=", "<": ">", ">": "<", "<=": ">=", ">=": "<=", "@>": "<@", "<@": "@>", "&&": "&&", "%": "%", "@@": "@@"}

// add files a condition under what an index could do about it.
func (d *Need) add(c *sqltext.Expr) {
	switch c.Op {
	case sqltext.Binary, sqltext.Quantor:
		d.compare(c)
	case sqltext.NullTest, sqltext.ColumnRef:
		d.test(c, c)
	case sqltext.NotExpr:
		if c.Args[0].Op == sqltext.ColumnRef {
			d.test(c, c.Args[0])
		} else {
			d.other(c)
		}
	case sqltext.OrExpr:
		d.either(c)
	default:
		d.other(c)
	}
}

func (d *Need) other(c *sqltext.Expr) {
	if own, _ := d.sides(c); own {
		d.Other = append(d.Other, Term{Text: d.strip(c), Expr: c})
	}
}

func (d *Need) test(c, inner *sqltext.Expr) {
	if own, foreign := d.sides(c); !own || foreign {
		return
	}
	cols := inner.Columns()
	t := Term{Text: d.strip(c), Of: cols[0].Name, Op: c.Name, Fixed: true, Expr: c}
	t.Column = d.Table.Column(t.Of)
	d.Tests = appendTerm(d.Tests, t)
}

func (d *Need) compare(c *sqltext.Expr) {
	left, right, op := c.Args[0], c.Args[1], c.Name
	lo, lf := d.sides(left)
	ro, rf := d.sides(right)
	switch {
	case lo && !lf && !ro:
	case ro && !rf && !lo && flipped[op] != "" && c.Op == sqltext.Binary:
		left, right, op, rf = right, left, flipped[op], lf
	default:
		d.other(c)
		return
	}
	t := d.term(left)
	t.Op, t.Value, t.Fixed, t.Expr = op, right.Text, right.Fixed() && !rf, c
	list := d.shelf(op, c, t)
	*list = appendTerm(*list, t)
}

// shelf is the list that a comparison belongs to.
func (d *Need) shelf(op string, c *sqltext.Expr, t Term) *[]Term {
	switch {
	case c.Op == sqltext.Quantor && (c.All || op != "="):
		return &d.Other
	case op == "=":
		return &d.Equal
	case op == "<" || op == ">" || op == "<=" || op == ">=":
		return &d.Range
	case op == "~~" && prefixed(t.Value):
		return &d.Range
	case special[op]:
		return &d.Special
	}
	return &d.Other
}

var special = map[string]bool{"~~": true, "~~*": true, "~": true, "~*": true, "%": true, "@>": true, "<@": true, "&&": true, "@@": true,
	"?": true, "?|": true, "?&": true, "@?": true}

// prefixed tells whether a pattern of LIKE begins with something that is known.
func prefixed(value string) bool {
	tokens, _ := sqltext.Lex(value)
	return len(tokens) > 0 && tokens[0].Class == sqltext.String && tokens[0].Text != "" && !strings.ContainsAny(tokens[0].Text[:1], "%_")
}

// either takes "a = 1 OR a = 2" as IN.
func (d *Need) either(c *sqltext.Expr) {
	var same Term
	for i, arm := range c.Args {
		probe := Need{Node: d.Node, Table: d.Table, Name: d.Name}
		probe.add(arm)
		if len(probe.Equal) != 1 || (i > 0 && probe.Equal[0].Text != same.Text) {
			d.other(c)
			return
		}
		same = probe.Equal[0]
	}
	same.Value, same.Expr = "", c
	d.Equal = appendTerm(d.Equal, same)
}

// term is the side of a comparison that an index would have.
func (d *Need) term(e *sqltext.Expr) Term {
	inner := e
	for inner.Op == sqltext.Cast && inner.Args[0].Op == sqltext.ColumnRef && d.harmless(inner) {
		inner = inner.Args[0]
	}
	t := Term{Text: d.strip(inner), Of: inner.Columns()[0].Name, Plain: inner.Op == sqltext.ColumnRef}
	if t.Plain {
		t.Text = schema.Quote(inner.Name)
		t.Column = d.Table.Column(inner.Name)
	}
	t.Stable = !d.immutable(inner)
	return t
}

// harmless are casts that an index sees through: of one kind of text to another. Where types are not known, those to text are taken to
// be.
func (d *Need) harmless(cast *sqltext.Expr) bool {
	if cast.Name != "text" && !strings.HasPrefix(cast.Name, "character varying") {
		return false
	}
	c := d.Table.Column(cast.Args[0].Name)
	return c == nil || strings.HasPrefix(c.Type, "character varying") || c.Type == "text" || c.Type == "name"
}

// strip writes an expression without the table's name.
func (d *Need) strip(e *sqltext.Expr) string {
	text := strings.TrimSpace(e.Text)
	tokens, _ := sqltext.Lex(text)
	var b strings.Builder
	at := 0
	for i := 0; i+1 < len(tokens); i++ {
		t := tokens[i]
		if (t.Class == sqltext.Word || t.Class == sqltext.Quoted) && tokens[i+1].Is(".") && (t.Text == d.Node.Alias || t.Text == d.Name) {
			b.WriteString(text[at:t.From])
			at = tokens[i+1].To
		}
	}
	b.WriteString(text[at:])
	return unwrap(b.String())
}

// unwrap takes parentheses off that go around all of it.
func unwrap(s string) string {
	for strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		depth := 0
		for i, r := range s {
			if r == '(' {
				depth++
			} else if r == ')' {
				depth--
			}
			if depth == 0 && i < len(s)-1 {
				return s
			}
		}
		s = strings.TrimSpace(s[1 : len(s)-1])
	}
	return s
}

func appendTerm(list []Term, t Term) []Term {
	if slices.ContainsFunc(list, func(o Term) bool { return o.Text == t.Text && o.Op == t.Op && o.Value == t.Value }) {
		return list
	}
	return append(list, t)
}
