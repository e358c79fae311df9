package postgres

import (
	"database/sql"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"
)

// MigrateShardAsOf does what MigrateShard of a program does that knows the migrations up to version only.
func MigrateShardAsOf(t *testing.T, dsn string, version int) {
	t.Helper()
	files, err := fs.Sub(migrations, "migrations/shard")
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	known := fstest.MapFS{}
	for _, name := range names[:version] { // numbered from 1, without gaps
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		known[name] = &fstest.MapFile{Data: raw}
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, known)
	if err == nil {
		_, err = p.Up(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

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
