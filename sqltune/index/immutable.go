package index

import (
	"strings"

	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// changing are functions whose result depends on settings, time zone or time, and which no index can hold. Those of timed do so only on
// times with a zone.
var (
	changing = set("now current_timestamp localtimestamp clock_timestamp statement_timestamp timeofday age to_char to_date to_timestamp random " +
		"concat concat_ws format array_to_string array_to_json to_json row_to_json to_jsonb make_timestamptz pg_sleep nextval currval")
	timed = set("date_trunc date_part extract date timezone")
	zoned = []string{"date", "timestamp", "time"}
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// immutable tells whether an index may hold an expression, as far as its text and the columns' types tell. PostgreSQL has the last word.
func (d *Need) immutable(e *sqltext.Expr) bool {
	ok := true
	e.Walk(func(x *sqltext.Expr) {
		switch x.Op {
		case sqltext.OpaqueExpr, sqltext.Subplan, sqltext.ParamRef:
			ok = false
		case sqltext.Call:
			if changing[x.Name] || timed[x.Name] && !d.zoneless(x) || x.Name == "to_tsvector" && len(x.Args) < 2 {
				ok = false
			}
		case sqltext.Cast:
			for _, kind := range zoned {
				if strings.HasPrefix(x.Name, kind) && !d.zoneless(x) {
					ok = false
				}
			}
		}
	})
	return ok
}

// zoneless tells whether all columns in an expression are known to be dates or times without a zone.
func (d *Need) zoneless(e *sqltext.Expr) bool {
	for _, ref := range e.Columns() {
		c := d.Table.Column(ref.Name)
		if c == nil || (c.Type != "date" && !strings.HasSuffix(c.Type, "without time zone")) {
			return false
		}
	}
	return true
}
