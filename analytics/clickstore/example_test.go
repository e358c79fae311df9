package clickstore_test

import (
	"context"
	"fmt"
	"os"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/clickstore"
)

// It needs a server, and so is not run with the tests.
func ExampleOpen() {
	ctx := context.Background()
	o, err := clickstore.ParseDSN(os.Getenv("CLICKHOUSE_DSN")) // clickhouse://user:password@host:9000/database
	if err != nil {
		panic(err)
	}
	s, err := clickstore.Open(ctx, o)
	if err != nil {
		panic(err)
	}
	defer s.Close()
	r, err := s.Query(ctx, "SELECT kind, sum(weight) AS events FROM events GROUP BY kind ORDER BY events DESC", analytics.QueryOptions{MaxRows: 10})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Columns, r.Rows)
}
