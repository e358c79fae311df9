package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/app/querydb"
	"github.com/stampede-shop/stampede/sqltune"
	"github.com/stampede-shop/stampede/sqltune/find"
	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

type queryIndexesCmd struct {
	databaseFlags
	Statements  string        `type:"input|-" help:"Statements to find indexes for, instead of those that the servers have counted; - is standard input." placeholder:"FILE"`
	Apply       bool          `help:"Create the indexes on every database with these tables, measure, and keep those that help."`
	MinGain     float64       `default:"0.1" help:"By which part the p95 of statements must fall for an index to be kept." placeholder:"PART"`
	WriteBudget float64       `default:"0.5" help:"How much more a written row may cost, as a part of what it costs now." placeholder:"PART"`
	Runs        int           `default:"40" help:"How often each statement is replayed." placeholder:"N"`
	Build       time.Duration `type:"span" default:"30m" help:"How long creating one index may take."`
	JSON        bool          `name:"json" help:"Print JSON."`
}

func (queryIndexesCmd) Help() string {
	return `Examples:
  stampede query indexes
  stampede query indexes --database shards --apply
  stampede query indexes --dsn postgres://shop@db/shop --statements queries.sql

Without --apply nothing is changed. With it each index is created CONCURRENTLY under a name that marks it as on trial, on every
database that has the same tables (all shards, when one is named); the statements are replayed before and after with values from the
data; and it is kept only if their p95 falls and writes stay within the budget. Interrupted, the next run cleans up.`
}

func (c queryIndexesCmd) Run(ctx context.Context, s streams) error {
	if c.Runs < 5 || c.MinGain < 0 || c.MinGain >= 1 || c.WriteBudget < 0 {
		return usageError{fmt.Errorf("--runs at least 5, --min-gain from 0 to 1, --write-budget at least 0")}
	}
	targets, nodes, err := c.where(ctx)
	if err != nil {
		return err
	}
	work, err := c.workload(ctx, s, nodes)
	if err != nil {
		return err
	}
	advice, err := c.advise(ctx, targets[0], nodes, work)
	if err != nil {
		return err
	}
	if !c.Apply {
		if c.JSON {
			return printJSON(s.Out, advice)
		}
		return writeAdvice(s.Out, advice)
	}
	report := func(format string, args ...any) { _, _ = fmt.Fprintf(s.Err, format+"\n", args...) }
	verdicts, err := sqltune.Apply(ctx, targets, work, advice.Proposals, sqltune.ApplyOptions{Limits: c.limits(), Build: c.Build, MinGain: c.MinGain,
		WriteBudget: c.WriteBudget, Runs: c.Runs, Report: report})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.Out, struct {
			*sqltune.Advice
			Verdicts []sqltune.Verdict `json:"verdicts"`
		}{advice, verdicts})
	}
	return writeVerdicts(s.Out, verdicts)
}

// where are the databases that have the tables, and the servers that count their statements.
func (c queryIndexesCmd) where(ctx context.Context) (targets, nodes []sqltune.Target, err error) {
	if c.DSN != "" {
		t := []sqltune.Target{{Name: "database", DSN: c.DSN}}
		return t, t, nil
	}
	cfg, err := c.config()
	if err != nil {
		return nil, nil, err
	}
	list, err := querydb.Databases(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	if targets, err = querydb.Targets(list, c.Database); err != nil {
		return nil, nil, usageError{err}
	}
	var chosen []querydb.Database
	for _, t := range targets {
		d, err := querydb.Find(list, t.Name)
		if err != nil {
			return nil, nil, err
		}
		chosen = append(chosen, d)
	}
	return targets, querydb.Nodes(chosen), nil
}

// workload is what indexes are wanted for.
func (c queryIndexesCmd) workload(ctx context.Context, s streams, nodes []sqltune.Target) ([]sqltune.Statement, error) {
	if c.Statements == "" {
		list, absent, err := querydb.Workload(ctx, nodes, c.limits())
		for _, a := range absent {
			_, _ = fmt.Fprintln(s.Err, "not counted:", a)
		}
		return sqltune.Merge(list), err
	}
	doc, err := readInput(c.Statements)
	if err != nil {
		return nil, usageError{err}
	}
	texts, ok := sqltext.Split(string(doc))
	if !ok || len(texts) == 0 {
		return nil, usageError{fmt.Errorf("--statements %s: statements that end in semicolons are wanted", c.Statements)}
	}
	list := make([]sqltune.Statement, len(texts))
	for i, sql := range texts {
		list[i] = sqltune.Statement{SQL: sql, Calls: 1, Total: 1, Mean: 1}
	}
	return list, nil
}

func (c queryIndexesCmd) advise(ctx context.Context, t sqltune.Target, nodes []sqltune.Target, work []sqltune.Statement) (*sqltune.Advice, error) {
	conn, err := querydb.Open(ctx, t.DSN)
	if err != nil {
		return nil, err
	}
	defer querydb.Close(conn)
	o := sqltune.AdviseOptions{Limits: c.limits(), Scans: querydb.Scans(ctx, nodes)}
	if c.Statements != "" {
		o.WriteMillis = 1e-9 // nobody knows how often these are asked, so there is nothing to weigh writes against
	}
	return sqltune.Advise(ctx, conn, work, o)
}

func writeAdvice(w io.Writer, a *sqltune.Advice) error {
	var b strings.Builder
	if a.Note != "" {
		fmt.Fprintf(&b, "%s.\n\n", a.Note)
	}
	if len(a.Proposals) == 0 {
		b.WriteString("No index is missing.\n")
	}
	for i, p := range a.Proposals {
		fmt.Fprintf(&b, "%d. %s\n", i+1, p.SQL)
		if p.Costed {
			fmt.Fprintf(&b, "   saves %.0f %% of the time of %d statements by the planner's reckoning\n", 100*p.Gain, len(p.Statements))
		}
		fmt.Fprintf(&b, "   takes %s; %.0f rows were written to the table so far\n", find.Bytes(p.Bytes), p.Writes)
		if p.HotLoss {
			b.WriteString("   updates of its columns will touch indexes, which most updates do not today\n")
		}
		for _, sql := range p.Statements[:min(3, len(p.Statements))] {
			fmt.Fprintf(&b, "   for   %s\n", oneLine(sql))
		}
	}
	if len(a.Unused) > 0 {
		fmt.Fprintf(&b, "\nIndexes that may not be needed, by what was counted in %s:\n", time.Since(a.Since).Round(time.Minute))
	}
	for _, u := range a.Unused {
		fmt.Fprintf(&b, "   %s on %s, %s: %s\n", u.Index.Name, u.On, find.Bytes(u.Index.Bytes), u.Why)
	}
	if len(a.Skipped) > 0 {
		fmt.Fprintf(&b, "\n%d statements or indexes could not be looked at; --json says which and why.\n", len(a.Skipped))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeVerdicts(w io.Writer, list []sqltune.Verdict) error {
	var b strings.Builder
	if len(list) == 0 {
		b.WriteString("No index is missing.\n")
	}
	for _, v := range list {
		fmt.Fprintf(&b, "%s: %s\n   tried on %s: %s\n", map[bool]string{true: "kept", false: "dropped"}[v.Kept], v.SQL, strings.Join(v.On, ", "), v.Why)
		for _, m := range v.Measured {
			fmt.Fprintf(&b, "   p95 %8.2f ms → %8.2f ms  %s%s\n", m.Before, m.After, map[bool]string{true: "* "}[m.For], oneLine(m.SQL))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
