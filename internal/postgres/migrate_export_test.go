package postgres

import (
	"database/sql"
	"io/fs"
	"testing"

	"github.com/pressly/goose/v3"
)

// MigrateShardTo brings a shard's schema to an earlier version.
func MigrateShardTo(t *testing.T, dsn string, version int64) {
	t.Helper()
	files, err := fs.Sub(migrations, "migrations/shard")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, files)
	if err != nil {
		t.Fatal(err)
	}
	now, err := p.GetDBVersion(t.Context())
	if err == nil && now > version {
		_, err = p.DownTo(t.Context(), version)
	} else if err == nil {
		_, err = p.UpTo(t.Context(), version)
	}
	if err != nil {
		t.Fatal(err)
	}
}
