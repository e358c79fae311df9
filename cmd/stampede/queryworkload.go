package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stampede-shop/stampede/internal/app/querydb"
	"github.com/stampede-shop/stampede/sqltune"
)

type queryWorkloadCmd struct {
	platformFlags
	Database string        `help:"Only this database: catalog, shard1 …" placeholder:"NAME"`
	DSN      string        `name:"dsn" help:"Any PostgreSQL database, instead of the platform's." placeholder:"URL"`
	Timeout  time.Duration `type:"span" default:"30s" help:"How long a statement may run."`
	Top      int           `default:"15" help:"Statements and filters that are shown." placeholder:"N"`
	Slow     time.Duration `default:"100ms" help:"From when on a statement is slow."`
	Save     string        `type:"path" help:"Write what was counted so far to a file: at a deploy, to compare with later." placeholder:"FILE"`
	Since    string        `type:"input|-" help:"Compare with a file that was saved: what got slower since, and what is new." placeholder:"FILE"`
	JSON     bool          `name:"json" help:"Print JSON."`
}

func (queryWorkloadCmd) Help() string {
	return `Examples:
  stampede query workload
  stampede query workload --save before-deploy.json
  stampede query workload --since before-deploy.json

Counts are those of pg_stat_statements on every server, primaries and replicas. With --since exit code 1 says that something got
slower.`
}

// workloadReport is what `query workload` finds.
type workloadReport struct {
	Statements  []sqltune.Statement  `json:"statements"`
	Slow        []sqltune.Statement  `json:"slow"`
	Filters     []sqltune.Filter     `json:"filters"`
	Regressions []sqltune.Regression `json:"regressions,omitempty"`
	Absent      []string             `json:"absent,omitempty"`
}

func (c queryWorkloadCmd) Run(ctx context.Context, s streams) error {
	var before sqltune.Snapshot
	if c.Since != "" {
		raw, err := readInput(c.Since)
		if err == nil {
			err = json.Unmarshal(raw, &before)
		}
		if err != nil {
			return usageError{fmt.Errorf("--since %s: %w", c.Since, err)}
		}
	}
	nodes, err := queryNodes(ctx, c.platformFlags, c.Database, c.DSN)
	if err != nil {
		return err
	}
	list, absent, err := querydb.Workload(ctx, nodes, c.limits())
	for _, a := range absent {
		_, _ = fmt.Fprintln(s.Err, "not counted:", a)
	}
	if err != nil {
		return err
	}
	now := sqltune.Snapshot{Taken: time.Now().UTC(), Statements: list}
	if c.Save != "" {
		if err := saveSnapshot(c.Save, now); err != nil {
			return err
		}
	}
	r := workloadReport{Statements: sqltune.Merge(list), Slow: sqltune.Slow(list, c.Slow), Absent: absent}
	if c.Since != "" {
		r.Regressions = sqltune.Compare(before, now, sqltune.CompareOptions{})
	}
	if r.Filters, err = c.filters(ctx, nodes, list); err != nil {
		return err
	}
	return c.print(s, r)
}

func (c queryWorkloadCmd) limits() sqltune.Limits { return sqltune.Limits{Timeout: c.Timeout} }

// queryNodes are the servers of one database, or of all.
func queryNodes(ctx context.Context, f platformFlags, database, dsn string) ([]sqltune.Target, error) {
	if dsn != "" {
		return []sqltune.Target{{Name: "database", DSN: dsn}}, nil
	}
	cfg, err := f.config()
	if err != nil {
		return nil, err
	}
	list, err := querydb.Databases(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if database != "" {
		d, err := querydb.Find(list, database)
		if err != nil {
			return nil, usageError{err}
		}
		list = []querydb.Database{d}
	}
	return querydb.Nodes(list), nil
}

func saveSnapshot(path string, snap sqltune.Snapshot) error {
	raw, err := json.MarshalIndent(snap, "", " ")
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, append(raw, '\n'), 0o600); err != nil { // statements may be nobody else's business
		return err
	}
	return os.Rename(tmp, path)
}

// mostPlanned is how many statements of a database are explained to see what they filter by.
const mostPlanned = 200

// filters are what statements filter by; shards have the same tables, so one of them is asked for all.
func (c queryWorkloadCmd) filters(ctx context.Context, nodes []sqltune.Target, list []sqltune.Statement) ([]sqltune.Filter, error) {
	groups := map[string][]sqltune.Statement{}
	asked := map[string]sqltune.Target{}
	for _, n := range nodes {
		if group := tablesOf(n.Name); asked[group].DSN == "" {
			asked[group] = n
		}
	}
	for _, st := range list {
		groups[tablesOf(st.Node)] = append(groups[tablesOf(st.Node)], st)
	}
	var all []sqltune.Filter
	for group, n := range asked {
		if len(groups[group]) == 0 {
			continue
		}
		conn, err := querydb.Open(ctx, n.DSN)
		if err != nil {
			return nil, err
		}
		one, _, err := sqltune.Filters(ctx, conn, sqltune.Merge(groups[group]), mostPlanned, c.limits())
		querydb.Close(conn)
		if err != nil {
			return nil, err
		}
		for i := range one {
			one[i].Table = strings.TrimPrefix(one[i].Table, "public.")
			if group != "" {
				one[i].Table = group + ": " + one[i].Table
			}
		}
		all = append(all, one...)
	}
	sqltune.SortFilters(all)
	return all, nil
}

// tablesOf names what set of tables a node has: the catalogue's or that of all shards.
func tablesOf(node string) string {
	name, _, _ := strings.Cut(node, "@")
	if name == querydb.Catalog || name == "database" {
		return map[bool]string{true: querydb.Catalog}[name == querydb.Catalog]
	}
	return "shards"
}

func (c queryWorkloadCmd) print(s streams, r workloadReport) error {
	slower := false
	for _, g := range r.Regressions {
		slower = slower || !g.New
	}
	var err error
	if c.JSON {
		err = printJSON(s.Out, r)
	} else {
		err = c.text(s.Out, r)
	}
	if err == nil && slower {
		err = errFails
	}
	return err
}

func (c queryWorkloadCmd) text(out io.Writer, r workloadReport) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "MOST TIME\tCALLS\tMEAN\tMAX\tON\tSTATEMENT")
	c.statements(w, r.Statements)
	if len(r.Slow) > 0 {
		_, _ = fmt.Fprintf(w, "\nSLOWER THAN %s\tCALLS\tMEAN\tMAX\tON\tSTATEMENT\n", c.Slow)
		c.statements(w, r.Slow)
	}
	_, _ = fmt.Fprintln(w, "\nFILTERED BY\tCALLS\tSTATEMENTS\tINDEX")
	for _, f := range r.Filters[:min(c.Top, len(r.Filters))] {
		index := f.Index
		if index == "" {
			index = "-"
		}
		_, _ = fmt.Fprintf(w, "%s.%s\t%.0f\t%d\t%s\n", f.Table, f.Condition, f.Calls, f.Queries, index)
	}
	if c.Since != "" {
		_, _ = fmt.Fprintln(w, "\nSLOWER SINCE\tCALLS\tMEAN BEFORE\tMEAN NOW\tON\tSTATEMENT")
		for _, g := range r.Regressions {
			before := fmt.Sprintf("%.2f ms", g.Before)
			if g.New {
				before = "new"
			}
			_, _ = fmt.Fprintf(w, "%.0f ms\t%.0f\t%s\t%.2f ms\t%s\t%s\n", g.Extra, g.Calls, before, g.After, g.Node, oneLine(g.SQL))
		}
	}
	return w.Flush()
}

func (c queryWorkloadCmd) statements(w io.Writer, list []sqltune.Statement) {
	for _, st := range list[:min(c.Top, len(list))] {
		_, _ = fmt.Fprintf(w, "%.0f ms\t%.0f\t%.2f ms\t%.1f ms\t%s\t%s\n", st.Total, st.Calls, st.Mean, st.Max, st.Node, oneLine(st.SQL))
	}
}

// oneLine is a statement on a line: its name where it has one.
func oneLine(sql string) string {
	if rest, ok := strings.CutPrefix(strings.TrimSpace(sql), "-- name: "); ok {
		name, text, _ := strings.Cut(rest, "\n")
		sql = strings.Fields(name + " ?")[0] + ": " + text
	}
	r := []rune(strings.Join(strings.Fields(sql), " "))
	if len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return string(r)
}
