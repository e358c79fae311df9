package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/analytics"
)

// reports are those of a week that can be counted by hand.
func reports(t *testing.T, s analytics.Store) {
	monday := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	Append(t, s, analytics.Place{}, week(monday))
	for name, want := range map[string][][]any{
		"funnel": {{"2026-11-02", int64(4), int64(3), int64(2), int64(2), 0.5}, {"2026-11-09", int64(1), int64(1), int64(1), int64(1), 1.0}},
		"revenue": {{"2026-11-02", "EUR", int64(2), int64(3000), int64(5), int64(0), int64(0), 1500.0},
			{"2026-11-09", "EUR", int64(1), int64(3000), int64(1), int64(1), int64(3000), 3000.0}},
		"cohort": {{"2026-11-02", int64(2), int64(0), int64(2), 1.0}, {"2026-11-02", int64(2), int64(1), int64(1), 0.5}},
		"basket": {{int64(1), int64(2), int64(2), 1.0, 1.0, 1.5}},
	} {
		sql, err := analytics.Report(name, monday.Add(-time.Microsecond))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, Query(t, s, sql)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if sql, err = analytics.Report(name, monday.AddDate(0, 0, 8)); err != nil {
			t.Fatal(err)
		}
		if rows := Query(t, s, sql); len(rows) != 0 {
			t.Errorf("%s of nothing: %v", name, rows)
		}
	}
	if _, err := analytics.Report("weather", monday); err == nil {
		t.Error("there is a report that is none")
	}
}

func week(monday time.Time) *analytics.Batch {
	b := &analytics.Batch{Received: monday.UnixMicro()}
	add := func(kind analytics.Kind, week int, shopper uint64, order string, product, amount int64) {
		e := analytics.Event{ID: analytics.NewID(), Time: monday.AddDate(0, 0, 7*week), Kind: kind, Shopper: shopper, Product: product, Amount: amount, Quantity: 1}
		if order != "" {
			e.Order, e.Currency = analytics.DerivedID(order), "EUR"
		}
		b.Add(&e)
	}
	for shopper := range uint64(4) { // four look, three add, two begin a checkout, all of these buy
		add(analytics.KindView, 0, shopper+1, "", 1, 0)
		if shopper < 3 {
			add(analytics.KindAdd, 0, shopper+1, "", 1, 0)
		}
		if shopper < 2 {
			add(analytics.KindCheckout, 0, shopper+1, "", 0, 0)
		}
	}
	for i, o := range []struct {
		id       string
		week     int
		shopper  uint64
		products []int64
	}{{"a", 0, 1, []int64{1, 2}}, {"b", 0, 2, []int64{1, 2, 3}}, {"c", 1, 1, []int64{3}}} {
		add(analytics.KindOrder, o.week, o.shopper, o.id, 0, int64(1000*(i+1)))
		for _, p := range o.products {
			add(analytics.KindPurchase, o.week, o.shopper, o.id, p, 100)
		}
	}
	add(analytics.KindCancel, 1, 1, "c", 0, 3000)
	return b
}

// asText makes texts of whole numbers, whose types differ between stores.
func asText(row []any) []any {
	out := make([]any, len(row))
	for i, v := range row {
		switch v := v.(type) {
		case int32, int64, uint64, json.Number:
			out[i] = fmt.Sprint(v)
		default:
			out[i] = v
		}
	}
	return out
}
