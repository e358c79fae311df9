package postgres_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
)

// While a release is rolled out, processes of the version before run on the new schema: theirs are the statements of
// testdata/shard-4.sql, the constants of package sharddb as they were at migration 4, with which those of 5 and 6 promise to go
// on. All of them must be understood and planned, ON CONFLICT and its indexes included. A migration that ends this promise
// says so and takes the file away; the next that makes one leaves the statements before it here. And a process that starts
// anew does not mind migrations that it does not know.
func TestStatementsOfTheVersionBeforeRunOnThisSchema(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/shard-4.sql")
	check(t, err)
	ctx, dsn := t.Context(), localtest.Postgres(t).Database(t)
	check(t, postgres.MigrateShard(ctx, dsn))
	postgres.MigrateShardAsOf(t, dsn, 4)
	c, err := pgx.Connect(ctx, dsn)
	check(t, err)
	defer c.Close(ctx)
	statements := strings.Split(string(raw), "-- name: ")[1:]
	for _, s := range statements {
		name, text, _ := strings.Cut(s, "\n")
		d, err := c.Prepare(ctx, name, text)
		if err != nil {
			t.Errorf("%s is not understood: %v", name, err)
			continue
		}
		call := fmt.Sprintf("EXPLAIN EXECUTE %s", pgx.Identifier{name}.Sanitize())
		if n := len(d.ParamOIDs); n > 0 {
			call += "(NULL" + strings.Repeat(", NULL", n-1) + ")"
		}
		if _, err := c.PgConn().Exec(ctx, call).ReadAll(); err != nil {
			t.Errorf("%s cannot be run: %v", name, err)
		}
	}
	if len(statements) != 84 {
		t.Errorf("%d statements were looked at", len(statements))
	}
}
