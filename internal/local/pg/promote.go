package pg

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// WriterDSN is the connection string, for the application's role, of a database on whichever of the servers accepts writes.
func WriterDSN(database string, servers ...*Server) string {
	if len(servers) == 1 {
		return servers[0].DSN(database)
	}
	var hosts, ports []string
	for _, s := range servers {
		hosts, ports = append(hosts, s.SocketDir), append(ports, strconv.Itoa(s.Port))
	}
	q := url.Values{"host": {strings.Join(hosts, ",")}, "port": {strings.Join(ports, ",")}, "user": {AppRole},
		"target_session_attrs": {"read-write"}}
	return "postgres:///" + url.PathEscape(database) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// IsStandby reports whether a data directory is marked to start as a standby.
func (s *Server) IsStandby() bool {
	_, err := os.Stat(filepath.Join(s.DataDir, "standby.signal"))
	return err == nil
}

// StandbyState is how a running server stands in the replication.
type StandbyState struct {
	Standby   bool
	Position  int64 // of a standby: bytes of the log that it has on disk
	Settled   bool  // Position is all that there is: nothing is being received, and nothing is left to be read
	Following bool  // it is receiving from its primary
	From      string
}

const standbySQL = `SELECT pg_is_in_recovery(),
	COALESCE(CASE WHEN pg_is_in_recovery() THEN
		pg_wal_lsn_diff(GREATEST(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0') END, 0)::bigint,
	CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() IS NOT NULL ELSE false END
	OR EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event IN ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval')),
	EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'), current_setting('primary_conninfo')`

// Standby asks a running server how it stands.
func (s *Server) Standby(ctx context.Context) (st StandbyState, err error) {
	err = s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		var whole bool
		if err := c.QueryRow(ctx, standbySQL).Scan(&st.Standby, &st.Position, &whole, &st.Following, &st.From); err != nil {
			return err
		}
		st.Settled = whole && !st.Following
		return nil
	})
	return st, err
}

// Promote makes a running standby a primary, on a timeline of its own, and returns when it accepts writes. A primary is left alone.
func (s *Server) Promote(ctx context.Context) error {
	return s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		var done bool
		err := c.QueryRow(ctx, "SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote(true, 60) ELSE true END").Scan(&done)
		if err == nil && !done {
			err = errors.New("the standby did not become a primary within a minute")
		}
		return err
	})
}

// Checkpoint makes a checkpoint. After a promotion Rewind needs one: it reads the new timeline from there.
func (s *Server) Checkpoint(ctx context.Context) error { return s.exec(ctx, "CHECKPOINT") }

// Reload lets the server read its configuration again, and returns when new sessions have the value of one setting.
func (s *Server) Reload(ctx context.Context, name, value string) error {
	if err := s.exec(ctx, "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var now string
		err := s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
			return c.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&now)
		})
		if err != nil || now == value {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s is still %q: %w", name, now, ctx.Err())
		}
	}
}

func (s *Server) exec(ctx context.Context, sql string) error {
	return s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, sql)
		return err
	})
}

// Rewind turns the data directory of a stopped server that was a primary into one that can follow the running primary, which
// replaced it: what it has and the other has not is undone. After an error the data directory is of no more use.
func (s *Server) Rewind(ctx context.Context, primary *Server) error {
	if err := primary.Checkpoint(ctx); err != nil {
		return err
	}
	source := fmt.Sprintf("host=%s port=%d user=%s dbname=postgres", conninfoQuote(primary.SocketDir), primary.Port, AdminRole)
	if err := s.run(ctx, "pg_rewind", "--target-pgdata="+s.DataDir, "--source-server="+source); err != nil {
		return fmt.Errorf("rewind the former primary: %w", err)
	}
	return nil
}
