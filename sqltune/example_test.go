package sqltune_test

import (
	"fmt"

	"github.com/stampede-shop/stampede/sqltune"
	"github.com/stampede-shop/stampede/sqltune/find"
)

// A plan that somebody has sent, and what is wrong with it.
func ExampleRead() {
	doc := []byte(`[{"Plan": {"Node Type": "Seq Scan", "Relation Name": "orders", "Alias": "orders", "Plan Rows": 12,
		"Actual Total Time": 85.2, "Actual Rows": 9, "Actual Loops": 1, "Filter": "(customer_id = 7)", "Rows Removed by Filter": 999991}}]`)
	reports, err := sqltune.Read(doc, nil, find.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range reports[0].Findings {
		fmt.Printf("%s: %s\n", f.Rule, f.SQL[0])
	}
	// Output: missing-index: CREATE INDEX CONCURRENTLY orders_customer_id_c246b5 ON orders (customer_id);
}
