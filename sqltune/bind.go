package sqltune

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/sqltune/index"
	"github.com/stampede-shop/stampede/sqltune/schema"
	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// errNoValues says that nobody knows what a parameter is compared with.
var errNoValues = errors.New("values for its parameters cannot be taken from the data")

// source is where values for a parameter are found: the column that it is compared with.
type source struct {
	table *schema.Table
	term  index.Term
	fixed string // a value that is known without looking
}

// values finds sets of values for the parameters of a statement, as SQL: those that rows of the data have where the statement compares.
// Parameters that are compared with columns of one table are taken from one row each time.
func (p planner) values(ctx context.Context, sql string, s *schema.Schema, sets int) (out [][]string, err error) {
	from, err := p.sources(ctx, sql, s)
	if err != nil {
		return nil, err
	}
	params := paramCount(sql)
	out = make([][]string, sets)
	for i := range out {
		out[i] = make([]string, params)
	}
	by := map[*schema.Table][]int{}
	for k := range params {
		src, ok := from[k+1]
		if !ok {
			return nil, fmt.Errorf("%w: $%d", errNoValues, k+1)
		}
		if src.fixed == "" {
			by[src.table] = append(by[src.table], k)
			continue
		}
		for i := range out {
			out[i][k] = src.fixed
		}
	}
	for t, ks := range by {
		if err := p.sample(ctx, t, ks, from, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func paramCount(sql string) (n int) {
	tokens, _ := sqltext.Lex(sql)
	for _, t := range tokens {
		var k int
		if _, err := fmt.Sscanf(t.Text, "$%d", &k); err == nil && t.Class == sqltext.Param {
			n = max(n, k)
		}
	}
	return n
}

var param = regexp.MustCompile(`\$(\d+)`)

// sources tells for each parameter what it is compared with: LIMIT and OFFSET by the text, the rest by the plan.
func (p planner) sources(ctx context.Context, sql string, s *schema.Schema) (map[int]source, error) {
	from := map[int]source{}
	tokens, _ := sqltext.Lex(sql)
	for i := 1; i < len(tokens); i++ {
		var k int
		if _, err := fmt.Sscanf(tokens[i].Text, "$%d", &k); err != nil || tokens[i].Class != sqltext.Param {
			continue
		}
		if value := map[string]string{"limit": "20", "offset": "0", "first": "20"}[tokens[i-1].Text]; value != "" {
			from[k] = source{fixed: value}
		}
	}
	pl, err := p.plan(ctx, sql)
	if err != nil {
		return nil, err
	}
	for n := range pl.Root.All() {
		if !index.Scans(n) {
			continue
		}
		d := index.NeedOf(n, s)
		for _, t := range slices.Concat(d.Equal, d.Range, d.Special) {
			m := param.FindStringSubmatch(t.Value)
			if m == nil || d.Table == nil {
				continue
			}
			var k int
			_, _ = fmt.Sscan(m[1], &k)
			if _, known := from[k]; !known {
				from[k] = source{table: d.Table, term: t}
			}
		}
	}
	return from, nil
}

// literal is an SQL expression that makes a literal of a row's value, such that the row is found by it. Two bounds of one range are
// values that are near each other.
func literal(src source, all map[int]source) (string, error) {
	x := "(" + src.term.Text + ")"
	kind := ""
	if src.term.Column != nil {
		kind = src.term.Column.Type
	}
	switch op := src.term.Op; {
	case op == "=" && src.term.Expr != nil && src.term.Expr.Op == sqltext.Quantor:
		return "quote_literal(ARRAY[" + x + "]::text)", nil
	case op == "<" || op == "<=" || op == ">" || op == ">=":
		if hasOther(src, all) && strings.HasPrefix(op, "<") {
			x = "coalesce(lead(" + x + ") OVER (ORDER BY " + x + "), " + x + ")"
		}
		return "quote_literal(" + x + "::text)", nil
	case op == "=":
		return "quote_literal(" + x + "::text)", nil
	case op == "~~" || op == "~~*":
		return "quote_literal('%' || substr(" + x + "::text, 3, 4) || '%')", nil
	case op == "%":
		return "quote_literal(" + x + "::text)", nil
	case op == "@>" && kind == "jsonb":
		return "(SELECT quote_literal(jsonb_build_object(e.key, e.value)::text) FROM jsonb_each(" + x + ") e LIMIT 1)", nil
	case (op == "@>" || op == "&&") && strings.HasSuffix(kind, "[]"):
		return "quote_literal(" + x + "[1:1]::text)", nil
	}
	return "", fmt.Errorf("%w: %s %s", errNoValues, src.term.Text, src.term.Op)
}

// hasOther tells whether there is a lower bound to an upper one.
func hasOther(src source, all map[int]source) bool {
	for _, o := range all {
		if o.table == src.table && o.term.Text == src.term.Text && strings.HasPrefix(o.term.Op, ">") {
			return true
		}
	}
	return false
}

// sample fills in the parameters ks of all sets from rows of a table.
func (p planner) sample(ctx context.Context, t *schema.Table, ks []int, from map[int]source, out [][]string) error {
	var exprs []string
	for _, k := range ks {
		e, err := literal(from[k+1], from)
		if err != nil {
			return err
		}
		exprs = append(exprs, e)
	}
	for _, part := range sampled(t, len(out)) {
		rows, err := p.rows(ctx, fmt.Sprintf("SELECT %s FROM (SELECT * FROM %s%s ORDER BY random() LIMIT %d) s", strings.Join(exprs, ", "), t.FullName(), part,
			len(out)))
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(r []*string) bool { return slices.Contains(r, nil) })
		if len(rows) == 0 {
			continue
		}
		for i := range out {
			for j, k := range ks {
				out[i][k] = *rows[i%len(rows)][j]
			}
		}
		return nil
	}
	return fmt.Errorf("%w: %s has no such rows", errNoValues, t.FullName())
}

// sampled are parts of a table to look in: some pages of a large one, then all of it.
func sampled(t *schema.Table, n int) []string {
	if many := float64(200 * n); t.Rows > many && t.Pages > 0 {
		return []string{fmt.Sprintf(" TABLESAMPLE SYSTEM (%.4f)", max(100*many/t.Rows, 100/t.Pages)), ""}
	}
	return []string{""}
}

func (p planner) rows(ctx context.Context, sql string) ([][]*string, error) {
	save, err := p.tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = save.Rollback(context.WithoutCancel(ctx)) }()
	rows, err := save.Query(ctx, sql, pgx.QueryExecModeExec, pgx.QueryResultFormats{pgx.TextFormatCode})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list [][]*string
	for rows.Next() {
		list = append(list, texts(rows.RawValues()))
	}
	return list, rows.Err()
}
