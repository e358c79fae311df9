package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/postgres"
)

// orderBooks is the event store as the audit reads it, over the process that owns it.
type orderBooks struct {
	client *AnalyticsClient
	since  time.Time
}

// eventBooks asks the analytics process; nil where there is none.
func eventBooks(ctx context.Context, cfg config.Config) (postgres.EventBooks, error) {
	if !cfg.Analytics.Enabled || cfg.Analytics.Address == "" {
		return nil, nil
	}
	client, err := NewAnalyticsClient(cfg)
	if err != nil {
		return nil, err
	}
	b := &orderBooks{client: client}
	rows, err := b.rows(ctx, "SELECT min(since) AS since FROM made") // words that all stores understand, here and below
	if err == nil {
		b.since, err = time.Parse(time.RFC3339, fmt.Sprint(rows[0][0]))
	}
	if err != nil {
		return nil, fmt.Errorf("events cannot be reconciled: %w", err)
	}
	return b, nil
}

// Since implements postgres.EventBooks.
func (b *orderBooks) Since() time.Time { return b.since }

// Orders implements postgres.EventBooks. The ids of its events are made of the orders', so that they can be looked up by id, too; by
// order is good enough, and finds what should not be there.
func (b *orderBooks) Orders(ctx context.Context, ids []string) (map[string]postgres.EventOrder, error) {
	var list []string
	for _, id := range ids {
		if u, err := analytics.ParseID(id); err == nil {
			list = append(list, "'"+u.String()+"'::UUID")
		}
	}
	out := map[string]postgres.EventOrder{}
	if len(list) == 0 {
		return out, nil
	}
	rows, err := b.rows(ctx, `SELECT order_id::VARCHAR, count(*) FILTER (WHERE kind = 'order'), count(*) FILTER (WHERE kind = 'cancel'), sum(CASE WHEN kind = 'order' THEN amount ELSE 0 END)::BIGINT
		FROM events WHERE kind IN ('order', 'cancel') AND order_id IN (`+strings.Join(list, ",")+`) GROUP BY order_id`)
	for _, r := range rows {
		out[fmt.Sprint(r[0])] = postgres.EventOrder{Orders: integer(r[1]), Cancels: integer(r[2]), Total: integer(r[3])}
	}
	return out, err
}

// OrderIDs implements postgres.EventBooks.
func (b *orderBooks) OrderIDs(ctx context.Context, after string, limit int) ([]string, error) {
	where := ""
	if u, err := analytics.ParseID(after); err == nil {
		where = " AND order_id::VARCHAR > '" + u.String() + "'" // by its text: how ids themselves are ordered differs between stores
	}
	rows, err := b.rows(ctx, fmt.Sprintf("SELECT DISTINCT order_id::VARCHAR AS id FROM events WHERE kind = 'order' AND order_id IS NOT NULL%s ORDER BY id LIMIT %d", where, limit))
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = fmt.Sprint(r[0])
	}
	return ids, err
}

func (b *orderBooks) rows(ctx context.Context, sql string) ([][]any, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	res, err := b.client.Query(ctx, AnalyticsQuery{SQL: sql, MaxRows: maxQueryRows, TimeoutS: 60})
	if err != nil {
		return nil, err
	}
	return res.Rows, nil
}

func integer(v any) int64 {
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	return i
}
