package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// EnsureRoles makes the application's role on this primary unless it is there.
func (s *Server) EnsureRoles(ctx context.Context) error {
	return s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		var there bool
		err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", AppRole).Scan(&there)
		if err != nil || there {
			return err
		}
		_, err = c.Exec(ctx, "CREATE ROLE "+AppRole+" LOGIN IN ROLE pg_monitor, pg_signal_backend")
		return err
	})
}

// EnsureDatabase makes a database owned by the application unless it is there.
func (s *Server) EnsureDatabase(ctx context.Context, name string) error {
	return s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" OWNER "+AppRole)
		var e *pgconn.PgError
		if errors.As(err, &e) && e.Code == "42P04" { // duplicate_database
			return nil
		}
		return err
	})
}

// EnsureDatabases makes those of the databases that are not there, each with the extensions.
func (s *Server) EnsureDatabases(ctx context.Context, names, extensions []string) error {
	var missing []string
	err := s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, "SELECT n FROM unnest($1::text[]) n WHERE n NOT IN (SELECT datname FROM pg_database)", names)
		if err != nil {
			return err
		}
		missing, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil || len(missing) == 0 {
		return err
	}
	// into the template, so that each is made with them in one step
	err = s.Admin(ctx, "template1", func(c *pgx.Conn) error {
		for _, e := range extensions {
			if _, err := c.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS "+pgx.Identifier{e}.Sanitize()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range missing {
		if err := s.EnsureDatabase(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// DropDatabase drops a database, throwing out whoever is connected.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	return s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
		return err
	})
}
