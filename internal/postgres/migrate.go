package postgres

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // database/sql driver for goose
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// migrateWithin bounds one call when the caller's context has no earlier deadline.
const migrateWithin = 10 * time.Minute

// MigrateCatalog brings the schema of the catalogue database up to date. It may run again, and at the same time as
// others: they wait for each other by an advisory lock.
func MigrateCatalog(ctx context.Context, dsn string) error { return migrate(ctx, dsn, "catalog") }

// MigrateShard does the same for the database of one shard.
func MigrateShard(ctx context.Context, dsn string) error { return migrate(ctx, dsn, "shard") }

func migrate(ctx context.Context, dsn, kind string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, migrateWithin)
	defer cancel()
	files, err := fs.Sub(migrations, "migrations/"+kind)
	if err != nil {
		return fmt.Errorf("migrations of %s: %w", kind, err)
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", kind, err)
	}
	defer db.Close()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, uint64(migrateWithin/time.Second)))
	if err != nil {
		return fmt.Errorf("migrate %s: %w", kind, err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("migrate %s: %w", kind, err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", kind, err)
	}
	return nil
}
