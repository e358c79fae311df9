package postgres_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/shard/move"
)

// Every table of a shard moves with its key, or is known to stay.
func TestEveryTableMovesOrStays(t *testing.T) {
	t.Parallel()
	known := []string{"outbox", "answers", "goose_db_version"} // stay
	for _, table := range postgres.MovingTables() {
		known = append(known, table.Name)
		for _, c := range table.Children {
			known = append(known, c.Name)
		}
	}
	w := newWorld(t)
	found, err := w.cluster.Nodes()[0].Pool.Query(t.Context(), `SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace`)
	check(t, err)
	there, err := pgx.CollectRows(found, pgx.RowTo[string])
	check(t, err)
	slices.Sort(there)
	slices.Sort(known)
	if !slices.Equal(there, known) {
		t.Errorf("tables %v; described are %v: add what is missing to MovingTables, or here when it stays", there, known)
	}
}

// The migration makes the tables that the engine is written for.
func TestTopologyMigrationIsTheEngines(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("migrations/catalog/00003_topology.sql")
	check(t, err)
	if !strings.Contains(string(raw), strings.TrimSpace(move.CoordinatorSQL)) {
		t.Error("the migration and shard/move/coordinator.sql differ: a change of the tables is a new migration, and this test then compares schemas")
	}
}
