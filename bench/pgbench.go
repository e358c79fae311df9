package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/pg"
)

// anchorTables are what a hand-written shop on one database needs for an order.
const anchorTables = `
CREATE TABLE stock (product_id bigint PRIMARY KEY, available bigint NOT NULL CHECK (available >= 0)) WITH (fillfactor = 50);
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL, total bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE order_items (order_id bigint, position int, product_id bigint NOT NULL, quantity bigint NOT NULL,
    unit_price bigint NOT NULL, PRIMARY KEY (order_id, position));
INSERT INTO stock SELECT i, 1000000000 FROM generate_series(1, 10000) i;
`

// anchorRandom buys one unit each of three products out of 10,000, in the order of their ids.
const anchorRandom = `\set a random(1, 10000)
\set b random(1, 10000)
\set c random(1, 10000)
\set x least(:a, :b, :c)
\set z greatest(:a, :b, :c)
\set y :a + :b + :c - :x - :z
\set u random(1, 1000000)
BEGIN;
UPDATE stock SET available = available - 1 WHERE product_id = :x AND available >= 1;
UPDATE stock SET available = available - 1 WHERE product_id = :y AND available >= 1;
UPDATE stock SET available = available - 1 WHERE product_id = :z AND available >= 1;
INSERT INTO orders (user_id, total) VALUES (:u, 300) RETURNING id \gset
INSERT INTO order_items VALUES (:id, 1, :x, 1, 100), (:id, 2, :y, 1, 100), (:id, 3, :z, 1, 100);
END;
`

// anchorHot buys one unit of the one product that everybody wants.
const anchorHot = `\set u random(1, 1000000)
BEGIN;
UPDATE stock SET available = available - 1 WHERE product_id = 1 AND available >= 1;
INSERT INTO orders (user_id, total) VALUES (:u, 100) RETURNING id \gset
INSERT INTO order_items VALUES (:id, 1, 1, 1, 100);
END;
`

// measured is one run of either side.
type measured struct {
	rate     float64 // per second
	p50, p99 time.Duration
}

const anchorDB = "anchor"

func (s *pgServer) prepareAnchor(ctx context.Context) error {
	if err := s.EnsureDatabase(ctx, anchorDB); err != nil {
		return err
	}
	return s.Admin(ctx, anchorDB, func(c *pgx.Conn) error {
		if _, err := c.Exec(ctx, anchorTables+wholeTables); err != nil {
			return err
		}
		_, err := c.Exec(ctx, "VACUUM ANALYZE")
		return err
	})
}

var (
	tpsLine    = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)
	failedLine = regexp.MustCompile(`(?m)^number of failed transactions: ([0-9]+)`)
)

// pgbench runs a script with 64 clients over prepared statements.
func (s *pgServer) pgbench(ctx context.Context, script string, d time.Duration) (m measured, err error) {
	dir, err := os.MkdirTemp(s.dir, "pgbench-")
	if err != nil {
		return m, err
	}
	file := filepath.Join(dir, "script.sql")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		return m, err
	}
	bin := s.Bin.Path("pgbench")
	if _, err := os.Stat(bin); err != nil {
		bin = "pgbench"
	}
	cmd := exec.CommandContext(ctx, bin, "-n", "-M", "prepared", "-c", "64", "-j", "1", "-T", strconv.Itoa(int(d.Seconds())),
		"-l", "--log-prefix", filepath.Join(dir, "log"), "-f", file, "-h", s.SocketDir, "-p", strconv.Itoa(s.Port), "-U", pg.AdminRole, anchorDB)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return m, fmt.Errorf("pgbench: %w\n%s", err, out)
	}
	tps := tpsLine.FindSubmatch(out)
	if tps == nil {
		return m, fmt.Errorf("pgbench said nothing about tps:\n%s", out)
	}
	if failed := failedLine.FindSubmatch(out); failed != nil && string(failed[1]) != "0" {
		return m, fmt.Errorf("pgbench: %s transactions failed", failed[1])
	}
	if m.rate, err = strconv.ParseFloat(string(tps[1]), 64); err != nil {
		return m, err
	}
	m.p50, m.p99, err = latencies(dir)
	return m, err
}

// latencies reads pgbench's log: the third column is a transaction's time in microseconds.
func latencies(dir string) (p50, p99 time.Duration, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "log.*"))
	if err != nil {
		return 0, 0, err
	}
	var all []time.Duration
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return 0, 0, err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if cols := strings.Fields(lines.Text()); len(cols) > 2 {
				us, _ := strconv.ParseInt(cols[2], 10, 64)
				all = append(all, time.Duration(us)*time.Microsecond)
			}
		}
		_ = f.Close()
	}
	p50, p99 = quantiles(all)
	return p50, p99, nil
}

func quantiles(all []time.Duration) (p50, p99 time.Duration) {
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100]
}
