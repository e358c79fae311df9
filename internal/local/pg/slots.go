package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// SlotUsable reports whether the slot is on this primary and still has all the log that a standby of it
// may need. A slot without it (its standby was away for too long) is of no more use.
func (s *Server) SlotUsable(ctx context.Context, slot string) (usable bool, err error) {
	err = s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		err := c.QueryRow(ctx, "SELECT wal_status IS DISTINCT FROM 'lost' FROM pg_replication_slots WHERE slot_name = $1", slot).Scan(&usable)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return usable, err
}

// DropSlotsExcept drops the physical slots that are not in keep and that nobody uses, so that no log is
// kept for replicas that are no more.
func (s *Server) DropSlotsExcept(ctx context.Context, keep []string) error {
	return s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
			WHERE slot_type = 'physical' AND NOT active AND NOT slot_name = ANY($1)`, keep)
		return err
	})
}

// DropSlot drops a physical slot if it is there and nobody uses it.
func (s *Server) DropSlot(ctx context.Context, slot string) error {
	return s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
			WHERE slot_name = $1 AND NOT active`, slot)
		return err
	})
}
