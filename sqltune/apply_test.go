package sqltune

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/sqltune/index"
)

const (
	ofCustomer = `SELECT id, amount FROM sales WHERE customer = $1 ORDER BY sold_at DESC LIMIT $2`
	between    = `SELECT count(*) FROM sales WHERE sold_at BETWEEN $1 AND $2`
)

// sites are databases with the same tables, as shards are.
func sites(t *testing.T, n int) (targets []Target, conns []*pgx.Conn) {
	t.Helper()
	for i := range n {
		dsn := localtest.Postgres(t).Database(t)
		conn := connect(t, dsn)
		run(t, conn, adviceSchema...)
		targets, conns = append(targets, Target{Name: string(rune('a' + i)), DSN: dsn}), append(conns, conn)
	}
	return targets, conns
}

// indexes are the names of those on sales that were not there from the beginning.
func indexes(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT indexname FROM pg_indexes WHERE tablename = 'sales' AND indexname NOT IN
		('sales_pkey', 'sales_amount', 'sales_amount_status', 'sales_nobody') ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func proposal(keys []string, statements ...string) Proposal {
	c := index.Candidate{Schema: "public", Table: "sales", Method: "btree"}
	for _, k := range keys {
		c.Keys = append(c.Keys, index.Key{Text: k})
	}
	return Proposal{Candidate: c, Name: c.Name(), SQL: c.SQL(), Statements: statements}
}

var someWork = []Statement{{SQL: ofCustomer, Calls: 100, Total: 1000}, {SQL: between, Calls: 10, Total: 10}, {SQL: `SELECT * FROM sales WHERE note = lower($1)`, Calls: 1}}

// What helps is kept on every database under its name, what does not is dropped, and what an earlier run has left is gone.
func TestApply(t *testing.T) {
	t.Parallel()
	targets, conns := sites(t, 2)
	run(t, conns[1], `CREATE INDEX stampede_trial_000000000000 ON sales (note)`)
	good, bad := proposal([]string{"customer", "sold_at"}, ofCustomer), proposal([]string{"note"}, ofCustomer)
	// the budget is not what is tested here: on a busy machine a row of a copy may cost anything
	verdicts, err := Apply(t.Context(), targets, someWork, []Proposal{good, bad}, ApplyOptions{Runs: 15, WriteBudget: 50})
	if err != nil {
		t.Fatal(err)
	}
	if len(verdicts) != 2 || !verdicts[0].Kept || verdicts[1].Kept || !slices.Equal(verdicts[0].On, []string{"a", "b"}) {
		t.Fatalf("%+v", verdicts)
	}
	for _, conn := range conns {
		if got := indexes(t, conn); !slices.Equal(got, []string{good.Name}) {
			t.Errorf("indexes afterwards: %v", got)
		}
	}
	v := verdicts[0]
	if v.WriteBefore <= 0 || v.WriteAfter <= 0 || len(v.Measured) != 3 || !strings.Contains(verdicts[1].Why, "does not use it") {
		t.Errorf("%+v\n%+v", v, verdicts[1])
	}
	for _, m := range v.Measured {
		if m.For != (m.SQL == ofCustomer) || m.Runs != 30 || m.For && (!m.Uses || m.After >= m.Before) {
			t.Errorf("%+v", m)
		}
	}
	run(t, conns[1], `DROP INDEX `+good.Name) // as if the run had been killed while it kept the index everywhere
	if _, err := Apply(t.Context(), targets, someWork, nil, ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := indexes(t, conns[1]); !slices.Equal(got, []string{good.Name}) {
		t.Errorf("indexes after the next run: %v", got)
	}
}

func TestWritesOverBudget(t *testing.T) {
	t.Parallel()
	targets, conns := sites(t, 1)
	v, err := Apply(t.Context(), targets, someWork, []Proposal{proposal([]string{"customer", "sold_at"}, ofCustomer)}, ApplyOptions{Runs: 10, WriteBudget: -1})
	if err != nil || v[0].Kept || !strings.Contains(v[0].Why, "over the budget") {
		t.Errorf("%+v, %v", v, err)
	}
	if got := indexes(t, conns[0]); len(got) != 0 {
		t.Errorf("indexes afterwards: %v", got)
	}
}

// Interrupted while the index is built, nothing of it is left; and two runs do not meet.
func TestApplyInterrupted(t *testing.T) {
	t.Parallel()
	targets, conns := sites(t, 1)
	other := connect(t, targets[0].DSN)
	tx, err := other.Begin(t.Context()) // building waits for it
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `UPDATE sales SET amount = 1 WHERE id = 1`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := Apply(ctx, targets, someWork, []Proposal{proposal([]string{"customer"}, ofCustomer)}, ApplyOptions{Runs: 5})
		done <- err
	}()
	await(t, conns[0], `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock')`)
	if _, err := Apply(t.Context(), targets, nil, nil, ApplyOptions{}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second run: %v", err)
	}
	cancel()
	await(t, conns[0], `SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active')`)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the run ended with %v", err)
	}
	if got := indexes(t, conns[0]); len(got) != 0 {
		t.Errorf("indexes afterwards: %v", got)
	}
}

// await asks until the answer is yes.
func await(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var yes bool
		if err := conn.QueryRow(ctx, sql).Scan(&yes); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if yes {
			return
		}
		<-tick.C
	}
}
