package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/shard"
)

// How the cost of the same work grows: with the number of shards, of products, and of orders that are there already.
// Everything is on one machine, so that more shards cannot be faster than the machine is: the question is what they cost.
const (
	growthRuns    = 3
	growthFor     = 4 * time.Second
	growthReaders = 16 // callers of what only reads
)

// full tells that the steps are wanted which take longer than some minutes.
func full() bool { return os.Getenv("STAMPEDE_BENCH_FULL") != "" }

// table is printed as Markdown, and kept for the result's details.
type table struct {
	head []string
	rows [][]string
}

func newTable(head ...string) *table { return &table{head: head} }

func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case float64:
			row[i] = number(c)
		case time.Duration:
			row[i] = fmt.Sprintf("%.2f", ms(c))
		default:
			row[i] = fmt.Sprint(c)
		}
	}
	t.rows = append(t.rows, row)
	fmt.Fprintln(os.Stderr, strings.Join(row, "  "))
}

func (t *table) print() {
	fmt.Println("| " + strings.Join(t.head, " | ") + " |")
	fmt.Println("|" + strings.Repeat(" --- |", len(t.head)))
	for _, r := range t.rows {
		fmt.Println("| " + strings.Join(r, " | ") + " |")
	}
}

// number is a rate or a count, with its thousands apart.
func number(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// checkouts measures b several times with 64 callers; p95 and p99 are medians as the rate is.
func (b *benchShop) checkouts(ctx context.Context, servers []*pgServer, pick func() []int64) (rates []float64, m timing, err error) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // the heap of this process is small beside that of a shop
	var p50, p95, p99 []float64
	carts := 20_000
	for range growthRuns {
		users, err := b.fill(ctx, carts, pick)
		if err != nil {
			return nil, m, err
		}
		for _, s := range servers {
			if err := s.rest(ctx); err != nil {
				return nil, m, err
			}
		}
		t, err := b.buyTimed(ctx, users, growthFor)
		if err != nil {
			return nil, m, err
		}
		rates = append(rates, t.rate)
		carts = int(1.3 * t.rate * growthFor.Seconds()) // few are left over
		p50, p95, p99 = append(p50, t.p50.Seconds()), append(p95, t.p95.Seconds()), append(p99, t.p99.Seconds())
	}
	of := func(v []float64) time.Duration { return time.Duration(median(v) * float64(time.Second)) }
	return rates, timing{median(rates), of(p50), of(p95), of(p99)}, nil
}

// size is what the databases of all shards take on disk, in bytes, with their indexes.
func (b *benchShop) size(ctx context.Context) (int64, error) {
	total, err := shard.Count(ctx, b.cluster, shard.RequireAll, "SELECT pg_database_size(current_database())")
	return total.Sum, err
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// grown is the result of a part: the figure at the last step beside that at the first.
func grown(unit string, first, last []float64, t *table, details map[string]any) result {
	t.print()
	details["columns"], details["rows"] = t.head, t.rows
	return result{Unit: unit, Ours: median(last), Anchor: median(first), Ratio: median(last) / median(first), Spread: spread(last),
		Runs: len(last), Details: details}
}

// orders is how many there are.
func (b *benchShop) orders(ctx context.Context) (int, error) {
	total, err := shard.Count(ctx, b.cluster, shard.RequireAll, "SELECT count(*) FROM orders")
	return int(total.Sum), err
}
