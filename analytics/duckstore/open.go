package duckstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Options tune a store. Dir is needed; the zero value of the rest works.
type Options struct {
	Dir string // of the database and its Parquet files; made if need be
	// CompactAfter is how old a day must be to go into a Parquet file; default 2 days, negative never.
	CompactAfter time.Duration
	// Keep is how long events are kept, in whole days; default 400 days, negative for ever.
	Keep time.Duration
	// Land is of how many events a transaction is written as a file of its own rather than into the table, which costs a tenth; default
	// 65,536, negative never.
	Land      int
	MemoryMiB int // DuckDB may use; default 2048
	Threads   int // of queries; default as many as there are processors
	Log       *slog.Logger
}

const day = 24 * time.Hour

func (o Options) withDefaults() Options {
	if o.CompactAfter == 0 {
		o.CompactAfter = 2 * day
	}
	if o.Keep == 0 {
		o.Keep = 400 * day
	}
	if o.Land == 0 {
		o.Land = 65_536
	}
	if o.MemoryMiB <= 0 {
		o.MemoryMiB = 2048
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Store is an analytics.Store on DuckDB.
type Store struct {
	o     Options
	db    *sql.DB
	write writer

	maintain sync.Mutex // one maintenance at a time
	removed  []removal  // files that queries may still read
	closed   sync.Once
	closeErr error
}

const (
	databaseFile = "events.duckdb"
	filesDir     = "parquet"
	landedDir    = "landed"
	exportsDir   = "exports"
)

// Open opens the store in o.Dir, or makes it. An error says that another process has it, or that its schema is newer than this
// program.
func Open(ctx context.Context, o Options) (s *Store, err error) {
	s = &Store{o: o.withDefaults()}
	if o.Dir == "" {
		return nil, errors.New("duckstore: Dir is empty")
	}
	if s.o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	for _, dir := range []string{filesDir, landedDir, exportsDir} {
		if err := os.MkdirAll(filepath.Join(s.o.Dir, dir), 0o700); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	path := s.Path()
	connector, err := duckdb.NewConnector(path, nil)
	if err != nil {
		return s, fmt.Errorf("duckstore: open %s: %w", path, err)
	}
	s.db = sql.OpenDB(connector)
	if err := s.confine(ctx); err != nil {
		return s, err
	}
	if err := s.migrate(ctx); err != nil {
		return s, err
	}
	if _, err := s.db.ExecContext(ctx, "SET lock_configuration=true"); err != nil { // DuckDB's own ALTER TABLE sets something
		return s, fmt.Errorf("duckstore: settings: %w", err)
	}
	if err := s.write.open(path, filepath.Join(s.o.Dir, landedDir)); err != nil {
		return s, err
	}
	return s, s.tidy(ctx)
}

// confine bounds what the database may use and reach, for good.
func (s *Store) confine(ctx context.Context) error {
	settings := []string{
		fmt.Sprintf("SET memory_limit='%dMiB'", s.o.MemoryMiB),
		"SET preserve_insertion_order=false",
		"SET checkpoint_threshold='64MiB'",
		"SET autoinstall_known_extensions=false", "SET autoload_known_extensions=false",
		"SET temp_directory=" + literal(filepath.Join(s.o.Dir, "spill")),
		"SET max_temp_directory_size='8GiB'",
		"SET allowed_directories=[" + strings.Join([]string{s.folder(filesDir), s.folder(landedDir), s.folder(exportsDir)}, ",") + "]",
		"SET parquet_metadata_cache=true",     // no file is ever changed
		"SET prefetch_all_parquet_files=true", // a column of a row group in one read: page by page takes a sixth longer
	}
	if s.o.Threads > 0 {
		settings = append(settings, fmt.Sprintf("SET threads=%d", s.o.Threads))
	}
	settings = append(settings, "SET enable_external_access=false")
	for _, q := range settings {
		if _, err := s.db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("duckstore: %s: %w", q, err)
		}
	}
	return nil
}

// folder is one of the store's, in SQL.
func (s *Store) folder(name string) string { return literal(filepath.Join(s.o.Dir, name)) }

// Path is the database's file.
func (s *Store) Path() string { return filepath.Join(s.o.Dir, databaseFile) }

// literal quotes a text for SQL.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Close ends the store. Safe to call again.
func (s *Store) Close() error {
	s.closed.Do(func() {
		s.write.close()
		if s.db != nil {
			s.closeErr = s.db.Close()
		}
	})
	return s.closeErr
}

// errOf is a bare connection's error.
func errOf(what, detail string) error { return fmt.Errorf("duckstore: %s: %s", what, detail) }

// run executes one statement on a bare connection.
func run(conn mapping.Connection, query string) error {
	var res mapping.Result
	defer mapping.DestroyResult(&res)
	if mapping.Query(conn, query, &res) == mapping.StateError {
		return errOf("store", mapping.ResultError(&res))
	}
	return nil
}
