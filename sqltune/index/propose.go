package index

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/sqltune/schema"
	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

const (
	maxKeys    = 4
	maxInclude = 4
	maxWidth   = 64 // bytes of an included column
	fewValues  = 50 // a column with fewer is better a predicate than a key
	rareShare  = 0.3
)

// Candidates are indexes for the need, the most promising first: those for special operators, then one over all that is asked, then what
// may do as well for less.
func (d *Need) Candidates() (list []Candidate) {
	add := func(c Candidate, ok bool) {
		if ok && !slices.ContainsFunc(list, func(o Candidate) bool { return o.Def() == c.Def() }) {
			list = append(list, c)
		}
	}
	for _, t := range d.Special {
		if !t.Stable {
			add(d.specially(t))
		}
	}
	equal, where := d.split()
	full := d.ordered(equal, where)
	add(full, len(full.Keys) > 0)
	if where != "" {
		all := d.ordered(d.sorted(d.Equal), d.nullTests())
		add(all, len(all.Keys) > 0)
	}
	if inc := d.covering(full); len(inc) > 0 {
		c := full
		c.Include = inc
		add(c, len(c.Keys) > 0)
	}
	if len(equal) > 1 {
		c := d.blank()
		c.Keys = []Key{d.key(equal[0])}
		add(c, true)
	}
	for _, j := range d.Joins {
		c := d.blank()
		c.Keys = append([]Key{d.key(j)}, c.Keys...)
		add(c, true)
	}
	return list
}

func (d *Need) blank() Candidate { return Candidate{Schema: d.Schema, Table: d.Name, Method: "btree"} }

func (d *Need) key(t Term) Key { return Key{Text: t.Text, Class: d.class(t)} }

// class is what LIKE 'abc%' needs where text is not compared byte by byte.
func (d *Need) class(t Term) string {
	if t.Op != "~~" {
		return ""
	}
	if t.Column != nil && strings.HasPrefix(t.Column.Type, "character varying") {
		return "varchar_pattern_ops"
	}
	return "text_pattern_ops"
}

// split parts what is compared for equality with a rare value of few, and tests, from what is to be a key.
func (d *Need) split() (equal []Term, where string) {
	var preds []string
	for _, t := range d.sorted(d.Equal) {
		if d.Table != nil && t.Column != nil && isConstant(t) && d.rare(t) && len(d.Equal)+len(d.Range)+len(d.Order) > 1 {
			preds = append(preds, t.Text+" = "+t.Value)
			continue
		}
		if t.Stable {
			continue
		}
		equal = append(equal, t)
	}
	if tests := d.nullTests(); tests != "" {
		preds = append(preds, tests)
	}
	return equal, strings.Join(preds, " AND ")
}

func isConstant(t Term) bool {
	return t.Expr != nil && t.Expr.Op == sqltext.Binary && t.Value != "" && t.Fixed && !strings.Contains(t.Value, "$") &&
		slices.ContainsFunc(t.Expr.Args, func(e *sqltext.Expr) bool { return e.Op == sqltext.Constant })
}

// rare tells whether a column with few different values has the one asked for in few rows.
func (d *Need) rare(t Term) bool {
	distinct := d.Table.DistinctValues(t.Column)
	if distinct == 0 || distinct > fewValues {
		return false
	}
	tokens, _ := sqltext.Lex(t.Value)
	if len(tokens) == 0 {
		return false
	}
	for i, v := range t.Column.Common {
		if v == tokens[0].Text && i < len(t.Column.Shares) {
			return t.Column.Shares[i] < rareShare
		}
	}
	return len(t.Column.Common) > 0 // rarer than the common ones
}

// nullTests are the tests that leave few rows, as a predicate.
func (d *Need) nullTests() string {
	var preds []string
	for _, t := range d.Tests {
		share := 0.5
		if t.Column != nil {
			share = map[bool]float64{true: t.Column.Nulls, false: 1 - t.Column.Nulls}[strings.HasSuffix(t.Text, " IS NULL")]
			if t.Column.Type == "boolean" && len(t.Column.Shares) > 0 && !strings.Contains(t.Text, "NULL") {
				share = d.flagShare(t)
			}
		}
		if d.Table == nil || share < rareShare {
			preds = append(preds, t.Text)
		}
	}
	return strings.Join(preds, " AND ")
}

// flagShare is the share of rows that pass the test of a flag.
func (d *Need) flagShare(t Term) float64 {
	want := "t"
	if strings.HasPrefix(strings.ToUpper(t.Text), "NOT ") || strings.HasSuffix(t.Text, "IS FALSE") {
		want = "f"
	}
	for i, v := range t.Column.Common {
		if v == want && i < len(t.Column.Shares) {
			return t.Column.Shares[i]
		}
	}
	return 0
}

// sorted puts what tells rows apart best first.
func (d *Need) sorted(list []Term) []Term {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Term) int {
		return cmp.Compare(d.Table.DistinctValues(b.Column), d.Table.DistinctValues(a.Column))
	})
	return list
}

// ordered has what is compared for equality first, then the order asked for, else one range.
func (d *Need) ordered(equal []Term, where string) Candidate {
	c := d.blank()
	c.Where = where
	for _, t := range equal {
		if !t.Stable && len(c.Keys) < maxKeys-1 {
			c.Keys = append(c.Keys, d.key(t))
		}
	}
	has := func(text string) bool { return slices.ContainsFunc(c.Keys, func(k Key) bool { return k.Text == text }) }
	if order := d.usefulOrder(); len(order) > 0 {
		for _, o := range order {
			if !has(o.Text) && len(c.Keys) < maxKeys {
				c.Keys = append(c.Keys, Key{Text: o.Text, Desc: o.Desc, Suffix: o.Suffix})
			}
		}
	} else if len(d.Range) > 0 && !has(d.Range[0].Text) && !d.Range[0].Stable {
		c.Keys = append(c.Keys, d.key(d.Range[0]))
	}
	if len(c.Keys) == 0 && where != "" && len(d.Tests) > 0 { // nothing to look up but the predicate itself
		c.Keys = []Key{{Text: schema.Quote(d.Tests[0].Of)}}
	}
	return c
}

// usefulOrder is the order asked for, turned round when all of it descends: an index is read in both directions.
func (d *Need) usefulOrder() []OrderKey {
	order := slices.Clone(d.Order)
	for _, k := range order {
		if !k.Desc || k.Suffix != "" {
			return order
		}
	}
	for i := range order {
		order[i].Desc = false
	}
	return order
}

// covering are the columns that would let the index answer alone, when they are few and narrow.
func (d *Need) covering(c Candidate) (include []string) {
	if d.Table == nil || len(d.Output) == 0 || len(d.Table.Columns) <= len(d.Output)+len(c.Keys) {
		return nil
	}
	wanted := slices.Clone(d.Output)
	for _, list := range [][]Term{d.Equal, d.Range, d.Tests, d.Other} {
		for _, t := range list {
			if t.Of != "" {
				wanted = append(wanted, t.Of)
			}
		}
	}
	for _, name := range wanted {
		col := d.Table.Column(name)
		quoted := schema.Quote(name)
		if slices.ContainsFunc(c.Keys, func(k Key) bool { return k.Text == quoted }) || slices.Contains(include, quoted) {
			continue
		}
		if col == nil || col.Width > maxWidth || len(include) == maxInclude {
			return nil
		}
		include = append(include, quoted)
	}
	return include
}

// specially is a GIN or GiST index for an operator, by the type of what it is applied to.
func (d *Need) specially(t Term) (Candidate, bool) {
	c := d.blank()
	c.Method, c.Keys = "gin", []Key{{Text: t.Text}}
	kind := d.kind(t)
	switch {
	case t.Op == "@@" && (kind == "tsvector" || kind == "" || strings.HasPrefix(t.Text, "to_tsvector(")):
	case (t.Op == "@>" || t.Op == "@?") && kind == "jsonb", t.Op == "@@" && kind == "jsonb":
		c.Keys[0].Class = "jsonb_path_ops"
	case strings.HasPrefix(t.Op, "?") && kind == "jsonb":
	case (t.Op == "@>" || t.Op == "<@" || t.Op == "&&") && strings.HasSuffix(kind, "[]"):
	case (t.Op == "@>" || t.Op == "<@" || t.Op == "&&") && strings.HasSuffix(kind, "range"):
		c.Method = "gist"
	case isPattern(t.Op) && (kind == "" || kind == "text" || strings.HasPrefix(kind, "character varying")):
		c.Keys[0].Class, c.Requires = "gin_trgm_ops", "pg_trgm"
	default:
		return c, false
	}
	return c, true
}

func isPattern(op string) bool { return strings.HasPrefix(op, "~") || op == "%" }

// kind is the type of what is looked up: the column's, or what the other side was cast to.
func (d *Need) kind(t Term) string {
	if t.Column != nil {
		return t.Column.Type
	}
	if at := strings.LastIndex(t.Value, "::"); at >= 0 {
		kind := strings.Trim(t.Value[at+2:], "() ")
		if kind == "tsquery" {
			return "tsvector"
		}
		return kind
	}
	return ""
}
