package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/clickstore"
	"github.com/stampede-shop/stampede/analytics/duckstore"
	"github.com/stampede-shop/stampede/internal/app"
	"github.com/stampede-shop/stampede/internal/app/config"
)

func init() {
	// Registered here, so that nothing but this program links the databases.
	config.RegisterAnalyticsStore("duckdb", func(ctx context.Context, cfg config.AnalyticsConfig, log *slog.Logger) (analytics.Store, error) {
		return duckstore.Open(ctx, duckstore.Options{Dir: cfg.Dir, MemoryMiB: cfg.MemoryMiB, CompactAfter: days(cfg.CompactDays), Keep: days(cfg.KeepDays), Log: log})
	})
	config.RegisterAnalyticsStore("clickhouse", openClickHouse)
}

func openClickHouse(ctx context.Context, cfg config.AnalyticsConfig, log *slog.Logger) (analytics.Store, error) {
	if cfg.DSN == "" {
		return nil, fmt.Errorf("analytics.dsn: %w: give the server, like clickhouse://user:password@host:9000/database", config.ErrNotConfigured)
	}
	o, err := clickstore.ParseDSN(cfg.DSN)
	if err != nil {
		return nil, fmt.Errorf("analytics.dsn: %w", err)
	}
	o.Keep, o.MemoryMiB, o.Log = days(cfg.KeepDays), cfg.MemoryMiB, log
	return clickstore.Open(ctx, o)
}

// days is for ever, or never, for 0.
func days(n int) time.Duration {
	if n == 0 {
		return -1
	}
	return time.Duration(n) * 24 * time.Hour
}

// analyticsCmd are the role alone, and what asks it.
type analyticsCmd struct {
	Serve  analyticsServeCmd  `cmd:"" default:"withargs" help:"Run the analytics process alone: it stores events and answers about them."`
	Query  analyticsQueryCmd  `cmd:"" help:"Run a SELECT over the stored events."`
	Report analyticsReportCmd `cmd:"" help:"Print a report: funnel, revenue, cohort or basket."`
	Export analyticsExportCmd `cmd:"" help:"Export stored events as Parquet, CSV or JSON."`
}

type analyticsServeCmd struct{ roleFlags }

func (analyticsServeCmd) Help() string {
	return "Example:\n  stampede analytics serve --config /etc/stampede.yaml\n'up' runs it by itself. analytics.dir says where events are kept."
}

func (a analyticsServeCmd) Run(ctx context.Context) error { return a.run(ctx, "analytics", "", nil) }

type analyticsQueryCmd struct {
	platformFlags
	SQL     string        `arg:"" help:"One SELECT; the table is events. - reads it from standard input."`
	JSON    bool          `name:"json" help:"Print the result as JSON."`
	MaxRows int           `default:"10000" help:"Rows at most."`
	Timeout time.Duration `type:"span" default:"30s" help:"After which the query is given up; at most 10 minutes."`
}

func (analyticsQueryCmd) Help() string {
	return "Example:\n  stampede analytics query \"SELECT kind, count(*) FROM events GROUP BY kind\"\n" +
		"It is run by the process that owns the store, reaches neither files nor network, and changes nothing. Columns: id, time and received (UTC), kind, shopper (a hash), " +
		"product, order_id, category, query, quantity, amount (minor units), currency, source, attributes (JSON)."
}

func (c analyticsQueryCmd) Run(ctx context.Context, s streams) error {
	if c.SQL == "-" {
		raw, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
		if err != nil {
			return err
		}
		c.SQL = string(raw)
	}
	return c.platformFlags.query(ctx, s, app.AnalyticsQuery{SQL: c.SQL, MaxRows: c.MaxRows, TimeoutS: c.Timeout.Seconds()}, c.JSON)
}

// query asks the analytics process and prints what it answers.
func (f platformFlags) query(ctx context.Context, s streams, q app.AnalyticsQuery, asJSON bool) error {
	client, err := f.analytics()
	if err != nil {
		return err
	}
	res, err := client.Query(ctx, q)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(s.Out, objects(res))
	}
	return printTable(s, res)
}

func (f platformFlags) analytics() (*app.AnalyticsClient, error) {
	cfg, err := f.config()
	if err != nil {
		return nil, err
	}
	return app.NewAnalyticsClient(cfg)
}

// objects makes an object of each row, as scripts like it.
func objects(res *analytics.Result) []map[string]any {
	out := make([]map[string]any, len(res.Rows))
	for i, row := range res.Rows {
		out[i] = make(map[string]any, len(row))
		for j, v := range row {
			out[i][res.Columns[j]] = v
		}
	}
	return out
}

func printTable(s streams, res *analytics.Result) error {
	w := tabwriter.NewWriter(s.Out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.Join(res.Columns, "\t"))
	for _, row := range res.Rows {
		cells := make([]string, len(row))
		for i, v := range row {
			if v != nil {
				cells[i] = fmt.Sprint(v)
			}
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if res.More {
		_, _ = fmt.Fprintln(s.Err, "there are more rows: raise --max-rows, or narrow the query")
	}
	return w.Flush()
}

type analyticsReportCmd struct {
	platformFlags
	Name string        `arg:"" enum:"funnel,revenue,cohort,basket" help:"funnel, revenue, cohort or basket."`
	Last time.Duration `type:"span" default:"720h" help:"How far back it looks."`
	JSON bool          `name:"json" help:"Print it as JSON."`
}

func (analyticsReportCmd) Help() string {
	return "Example:\n  stampede analytics report funnel --last 24h\n" +
		"funnel: shoppers who came as far as each stage, by day. revenue: orders, units, takings and cancellations, by day and currency. cohort: of those who first bought in a week, " +
		"how many bought again in the weeks after. basket: pairs of products that are bought together more often than chance would have it."
}

func (c analyticsReportCmd) Run(ctx context.Context, s streams) error {
	sql, err := analytics.Report(c.Name, time.Now().Add(-c.Last))
	if err != nil {
		return usageError{err}
	}
	return c.platformFlags.query(ctx, s, app.AnalyticsQuery{SQL: sql, MaxRows: 1000, TimeoutS: 300}, c.JSON)
}

type analyticsExportCmd struct {
	platformFlags
	Format string `enum:",parquet,csv,json" default:"" help:"parquet, csv or json (a line an event); else what the name of the file says: .parquet, .csv, .json, .ndjson. csv on standard output." placeholder:"FORMAT"`
	SQL    string `default:"SELECT * FROM events ORDER BY time" help:"What to export: one SELECT."`
	Out    string `type:"path" help:"File to write; standard output when not given." placeholder:"FILE"`
}

func (analyticsExportCmd) Help() string {
	return "Example:\n  stampede analytics export --out events.parquet"
}

// format is the one asked for, or that of the file's name.
func (c analyticsExportCmd) format() (analytics.Format, error) {
	switch ext := strings.ToLower(filepath.Ext(c.Out)); {
	case c.Format != "":
		return analytics.Format(c.Format), nil
	case c.Out == "", ext == ".csv":
		return analytics.CSV, nil
	case ext == ".parquet":
		return analytics.Parquet, nil
	case ext == ".json", ext == ".ndjson":
		return analytics.JSON, nil
	}
	return "", usageError{fmt.Errorf("--out %s: its name does not say the format: end it in .parquet, .csv, .json or .ndjson, or add --format", c.Out)}
}

func (c analyticsExportCmd) Run(ctx context.Context, s streams) (err error) {
	format, err := c.format()
	if err != nil {
		return err
	}
	client, err := c.analytics()
	if err != nil {
		return err
	}
	q := app.AnalyticsQuery{SQL: c.SQL, Format: string(format)}
	if c.Out == "" {
		return client.Export(ctx, s.Out, q)
	}
	part := c.Out + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	err = errors.Join(client.Export(ctx, f, q), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, c.Out)
}
