package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/app/querydb"
	"github.com/stampede-shop/stampede/sqltune"
	"github.com/stampede-shop/stampede/sqltune/find"
)

type queryCmd struct {
	Analyze  queryAnalyzeCmd  `cmd:"" help:"Say why a statement is slow, and what to do about it."`
	Run      queryRunCmd      `cmd:"" help:"Run a read, bounded in rows and time."`
	Workload queryWorkloadCmd `cmd:"" help:"What the databases spend their time on, and what got slower."`
	Indexes  queryIndexesCmd  `cmd:"" help:"Which indexes would help; with --apply create, measure, keep or drop them."`
}

func (queryCmd) Help() string {
	return "Examples:\n  stampede query analyze \"SELECT * FROM products WHERE brand = 'Acme' ORDER BY rating DESC LIMIT 10\"\n" +
		"  stampede query run --database shard1 'SELECT count(*) FROM orders'"
}

// databaseFlags say which database statements run on.
type databaseFlags struct {
	platformFlags
	Database string        `default:"catalog" help:"Database of the platform: catalog, shard1 …" placeholder:"NAME"`
	DSN      string        `name:"dsn" help:"Any PostgreSQL database, instead of the platform's." placeholder:"URL"`
	Timeout  time.Duration `default:"30s" help:"How long a statement may run."`
}

// open connects to the database.
func (f databaseFlags) open(ctx context.Context) (*pgx.Conn, error) {
	if f.Timeout <= 0 {
		return nil, usageError{fmt.Errorf("--timeout %s: more than 0", f.Timeout)}
	}
	dsn := f.DSN
	if dsn == "" {
		cfg, err := f.config()
		if err != nil {
			return nil, err
		}
		list, err := querydb.Databases(ctx, cfg)
		if err != nil {
			return nil, err
		}
		d, err := querydb.Find(list, f.Database)
		if err != nil {
			return nil, usageError{err}
		}
		dsn = d.DSN
	}
	return querydb.Open(ctx, dsn)
}

func (f databaseFlags) limits() sqltune.Limits { return sqltune.Limits{Timeout: f.Timeout} }

// maxInput is how much is read from a file or from standard input.
const maxInput = 64 << 20

// readInput reads a file, or standard input for "-".
func readInput(name string) ([]byte, error) {
	var r io.Reader = os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		r = f
	}
	doc, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err == nil && len(doc) > maxInput {
		err = fmt.Errorf("%s: more than %d MiB", name, maxInput>>20)
	}
	return doc, err
}

// statement is the argument, or standard input for "-".
func statement(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	doc, err := readInput("-")
	return string(doc), err
}

// usage makes wrong usage of what says that a statement was not one to run.
func usage(err error) error {
	for _, e := range []error{sqltune.ErrNotOne, sqltune.ErrNotQuery, sqltune.ErrParams} {
		if errors.Is(err, e) {
			return usageError{err}
		}
	}
	return err
}

type queryAnalyzeCmd struct {
	databaseFlags
	SQL            string  `arg:"" optional:"" help:"The statement; - reads it from standard input."`
	Plan           string  `type:"input|-" help:"Read plans that EXPLAIN (as text or JSON) or auto_explain wrote, instead of running anything; needs no database." placeholder:"FILE"`
	Trace          string  `type:"input|-" help:"Read the statements of requests, and find those that run again and again in one; needs no database." placeholder:"FILE"`
	PlanOnly       bool    `help:"Explain without running."`
	RollbackWrites bool    `help:"Run statements that write, too, and roll them back."`
	JSON           bool    `name:"json" help:"Print JSON."`
	ManyRows       float64 `default:"10000" help:"Rows that are worth an index."`
}

func (queryAnalyzeCmd) Help() string {
	return `Examples:
  stampede query analyze "SELECT id, name FROM products WHERE name LIKE '%lamp%'"
  stampede query analyze --plan plan.json
  stampede query analyze --trace statements.ndjson

A read is run, in a read-only transaction with a time-out. A write is only explained, unless --rollback-writes is given: then it
runs, takes its locks, and is rolled back. A statement with $1 … gets the plan that serves any values.`
}

func (c queryAnalyzeCmd) Run(ctx context.Context, s streams) error {
	given := 0
	for _, x := range []string{c.SQL, c.Plan, c.Trace} {
		if x != "" {
			given++
		}
	}
	if given != 1 {
		return usageError{errors.New("give a statement, --plan FILE or --trace FILE")}
	}
	switch {
	case c.Trace != "":
		return c.trace(s)
	case c.Plan != "":
		doc, err := readInput(c.Plan)
		if err != nil {
			return usageError{err}
		}
		reports, err := sqltune.Read(doc, nil, c.options())
		if err != nil {
			return fmt.Errorf("%s: %w", c.Plan, err)
		}
		return c.print(s, reports)
	}
	return c.explain(ctx, s)
}

func (c queryAnalyzeCmd) options() find.Options { return find.Options{ManyRows: c.ManyRows} }

func (c queryAnalyzeCmd) explain(ctx context.Context, s streams) error {
	sql, err := statement(c.SQL)
	if err != nil {
		return err
	}
	conn, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer querydb.Close(conn)
	r, err := sqltune.Explain(ctx, conn, sql, sqltune.ExplainOptions{Limits: c.limits(), PlanOnly: c.PlanOnly, RunWrites: c.RollbackWrites,
		Find: c.options()})
	if err != nil {
		return usage(err)
	}
	return c.print(s, []*sqltune.Report{r})
}

func (c queryAnalyzeCmd) trace(s streams) error {
	doc, err := readInput(c.Trace)
	if err != nil {
		return usageError{err}
	}
	calls, err := find.ReadCalls(doc)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Trace, err)
	}
	found := find.Calls(calls, c.options())
	if c.JSON {
		if found == nil {
			found = []find.Finding{}
		}
		return printJSON(s.Out, found)
	}
	sqltune.WriteFindings(s.Out, found)
	return nil
}

func (c queryAnalyzeCmd) print(s streams, reports []*sqltune.Report) error {
	if c.JSON {
		return printJSON(s.Out, reports)
	}
	for i, r := range reports {
		if len(reports) > 1 {
			_, _ = fmt.Fprintf(s.Out, "%splan %d of %d: %s\n", map[bool]string{true: "\n"}[i > 0], i+1, len(reports), r.SQL)
		}
		if err := r.WriteText(s.Out); err != nil {
			return err
		}
	}
	return nil
}
