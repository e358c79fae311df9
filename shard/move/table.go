package move

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Table describes rows that move with their key. The table needs a primary key; neither that nor the sharding key of a row may
// change. Names are as in the database, without a schema: they are found by the search path.
type Table struct {
	Name string
	// Key is the column whose text form is the sharding key.
	Key string
	// Children are tables whose rows have no key of their own.
	Children []Child
}

// Child holds rows that belong to one row of another table: written only in the transaction that inserts or changes that row.
type Child struct {
	Name   string
	Column string // in the child, indexed
	Parent string // in the parent, which it refers to
}

type column struct {
	name, kind string
	sequence   string // that an identity or serial column draws from
	pk         int    // position in the primary key, from 1; 0: not in it
}

// table is a Table as the database has it.
type table struct {
	Table
	columns  []column
	pk       []column
	children []table
}

func (t *table) ident() string { return ident(t.Name) }
func (t *table) key(row string) string {
	return fmt.Sprintf("(%s.%s)::text", row, ident(t.Key))
}

func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

func names(columns []column, prefix string) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = prefix + ident(c.name)
	}
	return strings.Join(list, ", ")
}

// pkObject is the primary key of a row as a JSON object.
func (t *table) pkObject(row string) string {
	list := make([]string, len(t.pk))
	for i, c := range t.pk {
		list[i] = fmt.Sprintf("%s, %s.%s", quote(c.name), row, ident(c.name))
	}
	return "jsonb_build_object(" + strings.Join(list, ", ") + ")"
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// fingerprint is a hash of everything that belongs to a row, its children included.
func (t *table) fingerprint(row string) string {
	expr := fmt.Sprintf("ROW(%s)::text", names(t.columns, row+"."))
	for i := range t.children {
		c, def := &t.children[i], t.Children[i]
		expr += fmt.Sprintf(" || coalesce((SELECT string_agg(ROW(%s)::text, ',' ORDER BY %s) FROM %s c WHERE c.%s = %s.%s), '')",
			names(c.columns, "c."), names(c.pk, "c."), c.ident(), ident(def.Column), row, ident(def.Parent))
	}
	return "hashtextextended(" + expr + ", 0)"
}

// within is the condition that a row's primary key lies after one cursor (nil: none) and not after another (nil: no end); it appends
// its arguments.
func (t *table) within(row string, after, upTo []string, args *[]any) string {
	cond := "true"
	for _, b := range []struct {
		op string
		at []string
	}{{">", after}, {"<=", upTo}} {
		if b.at == nil {
			continue
		}
		values := make([]string, len(t.pk))
		for i, c := range t.pk {
			*args = append(*args, b.at[i])
			values[i] = fmt.Sprintf("$%d::text::%s", len(*args), c.kind)
		}
		cond += fmt.Sprintf(" AND (%s) %s (%s)", names(t.pk, row+"."), b.op, strings.Join(values, ", "))
	}
	return cond
}

// joinOn equates the primary keys of two row names.
func (t *table) joinOn(a, b string) string {
	list := make([]string, len(t.pk))
	for i, c := range t.pk {
		list[i] = fmt.Sprintf("%s.%s = %s.%s", a, ident(c.name), b, ident(c.name))
	}
	return strings.Join(list, " AND ")
}

const columnsSQL = `
SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(pg_get_serial_sequence(quote_ident($1), a.attname), ''),
    coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0)
FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = quote_ident($1)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attnum`

// describe reads from a database what the tables look like.
func describe(ctx context.Context, db *pgxpool.Pool, tables []Table) ([]*table, error) {
	var all []*table
	for _, def := range tables {
		t, err := describeOne(ctx, db, def.Name)
		if err != nil {
			return nil, err
		}
		t.Table = def
		for _, child := range def.Children {
			c, err := describeOne(ctx, db, child.Name)
			if err != nil {
				return nil, err
			}
			t.children = append(t.children, *c)
		}
		all = append(all, t)
	}
	return all, nil
}

func describeOne(ctx context.Context, db *pgxpool.Pool, name string) (*table, error) {
	rows, err := db.Query(ctx, columnsSQL, name)
	if err != nil {
		return nil, err
	}
	t := &table{Table: Table{Name: name}}
	t.columns, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (c column, err error) {
		return c, r.Scan(&c.name, &c.kind, &c.sequence, &c.pk)
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrShape, name, err)
	}
	for want := 1; ; want++ {
		found := false
		for _, c := range t.columns {
			if c.pk == want {
				t.pk, found = append(t.pk, c), true
			}
		}
		if !found {
			break
		}
	}
	if len(t.pk) == 0 {
		return nil, fmt.Errorf("%w: %s has no primary key", ErrShape, name)
	}
	return t, nil
}
