package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/stampede-shop/stampede/internal/app/querydb"
	"github.com/stampede-shop/stampede/sqltune"
)

type queryRunCmd struct {
	databaseFlags
	SQL   string `arg:"" help:"The query; - reads it from standard input."`
	Limit int    `default:"1000" help:"Rows returned of a query that has no LIMIT; 0: all." placeholder:"N"`
	CSV   bool   `name:"csv" help:"Print CSV." xor:"format"`
	JSON  bool   `name:"json" help:"Print an array of JSON objects." xor:"format"`
}

func (queryRunCmd) Help() string {
	return "Example:\n  stampede query run \"SELECT brand, count(*) FROM products GROUP BY brand ORDER BY 2 DESC LIMIT 10\"\n\n" +
		"The transaction is read-only and has a time-out. A LIMIT that was added is said on standard error."
}

func (c queryRunCmd) Run(ctx context.Context, s streams) error {
	sql, err := statement(c.SQL)
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return usageError{fmt.Errorf("--limit %d: at least 1, or 0 for all rows", c.Limit)}
	}
	most := c.Limit
	if most == 0 {
		most = -1
	}
	conn, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer querydb.Close(conn)
	to := c.printer(s.Out)
	out, err := sqltune.Query(ctx, conn, sql, sqltune.QueryOptions{Limits: c.limits(), MaxRows: most}, to.rows())
	if err == nil {
		err = to.end()
	}
	if err != nil {
		return usage(err)
	}
	switch {
	case out.Cut:
		_, _ = fmt.Fprintf(s.Err, "LIMIT %d was added, and there are more rows: give a LIMIT of your own, or --limit 0 for all\n", c.Limit)
	case out.Bounded:
		_, _ = fmt.Fprintf(s.Err, "LIMIT %d was added; the result is whole\n", c.Limit)
	}
	return nil
}

func (c queryRunCmd) printer(w io.Writer) *resultPrinter {
	p := &resultPrinter{w: w}
	switch {
	case c.JSON:
		p.row, p.end = p.jsonRow, p.jsonEnd
		p.head = func([]string) error { return nil }
	case c.CSV:
		out := csv.NewWriter(w)
		p.head = out.Write
		p.row = func(v []*string) error { return out.Write(plain(v, "")) }
		p.end = func() error { out.Flush(); return out.Error() }
	default:
		out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		write := func(cells []string) error {
			_, err := fmt.Fprintln(out, strings.Join(cells, "\t"))
			return err
		}
		p.head = write
		p.row = func(v []*string) error { return write(plain(v, "NULL")) }
		p.end = out.Flush
	}
	return p
}

// resultPrinter prints a result as it comes.
type resultPrinter struct {
	w     io.Writer
	names []string
	count int
	head  func([]string) error
	row   func([]*string) error
	end   func() error
}

func (p *resultPrinter) rows() sqltune.Rows {
	return sqltune.Rows{Columns: func(names []string) error {
		p.names = names
		return p.head(names)
	}, Row: func(v []*string) error {
		p.count++
		return p.row(v)
	}}
}

// onOneLine keeps a value from looking like several rows or columns.
var onOneLine = strings.NewReplacer("\n", `\n`, "\t", `\t`, "\r", `\r`)

func plain(values []*string, null string) []string {
	cells := make([]string, len(values))
	for i, v := range values {
		if cells[i] = null; v != nil {
			cells[i] = *v
		}
		if null != "" { // not CSV, which has quotes for that
			cells[i] = onOneLine.Replace(cells[i])
		}
	}
	return cells
}

func (p *resultPrinter) jsonRow(values []*string) error {
	m := make(map[string]*string, len(values))
	for i, v := range values {
		m[p.names[i]] = v
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.w, "%s%s", map[bool]string{true: "[\n", false: ",\n"}[p.count == 1], raw)
	return err
}

func (p *resultPrinter) jsonEnd() error {
	end := "\n]"
	if p.count == 0 {
		end = "[]"
	}
	_, err := fmt.Fprintln(p.w, end)
	return err
}
