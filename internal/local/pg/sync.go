package pg

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// SyncSetting makes commits wait until any one of the standbys has them on disk; "" for no standbys.
func SyncSetting(standbys []string) string {
	if len(standbys) == 0 {
		return ""
	}
	quoted := make([]string, len(standbys))
	for i, n := range standbys {
		quoted[i] = `"` + strings.ReplaceAll(n, `"`, `""`) + `"`
	}
	return "ANY 1 (" + strings.Join(quoted, ", ") + ")"
}

// nobody is a standby that does not exist: waiting for it proves that commits wait.
const nobody = `ANY 1 ("nobody")`

// Stream is a standby as its primary sees it.
type Stream struct {
	Name      string
	Streaming bool // it has caught up, is sent the log as it grows, and answers
	Counts    bool // commits may wait for it
}

// Replication is how a primary's log goes to its standbys.
type Replication struct {
	Streams []Stream
	Waiting time.Duration // for how long a commit has been waiting for a standby
	LSN     string        // the end of the log
}

// Replication asks a running primary.
func (s *Server) Replication(ctx context.Context) (r Replication, err error) {
	err = s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		var seconds float64
		err := c.QueryRow(ctx, `SELECT pg_current_wal_insert_lsn()::text, COALESCE(max(extract(epoch FROM clock_timestamp() - query_start)), 0)::float8
			FROM pg_stat_activity WHERE wait_event = 'SyncRep'`).Scan(&r.LSN, &seconds)
		if err != nil {
			return err
		}
		r.Waiting = time.Duration(seconds * float64(time.Second))
		rows, err := c.Query(ctx, `SELECT application_name, state = 'streaming' AND reply_time > now() - interval '5 seconds', sync_state IN ('quorum', 'sync') FROM pg_stat_replication
			WHERE state <> 'backup' ORDER BY 1`)
		if err != nil {
			return err
		}
		r.Streams, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Stream])
		return err
	})
	return r, err
}

// SetSync makes commits wait for the standbys from now on; for none of them when the list is empty. set is the rest of the
// configuration.
func (s *Server) SetSync(ctx context.Context, set Settings, standbys []string) error {
	return s.setSync(ctx, set, SyncSetting(standbys))
}

const syncNames = "synchronous_standby_names"

func (s *Server) setSync(ctx context.Context, set Settings, names string) error {
	if err := s.Configure(set.With(Settings{syncNames: names})); err != nil {
		return err
	}
	return s.Reload(ctx, syncNames, names)
}

// StartSync is SetSync on a primary whose commits wait for nobody. It returns when it is certain that from now on every commit
// waits, and that one of the standbys has all commits that did not. The order to wait reaches PostgreSQL's processes at different times;
// so a commit of our own is made to hang on a standby that does not exist, which proves that it has arrived, and then released.
func (s *Server) StartSync(ctx context.Context, set Settings, standbys []string) error {
	if err := s.setSync(ctx, set, nobody); err != nil {
		return err
	}
	hung := make(chan error, 1)
	pctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var seen atomic.Bool
	go func() { hung <- s.probeUntil(pctx, &seen) }()
	if err := s.awaitHung(ctx); err != nil {
		return err
	}
	seen.Store(true)
	if err := s.SetSync(ctx, set, standbys); err != nil {
		return err
	}
	if err := s.ConfirmSync(ctx, standbys); err != nil {
		return err
	}
	return <-hung
}

// ConfirmSync returns when none but these standbys counts, and one of them has everything that is committed now.
func (s *Server) ConfirmSync(ctx context.Context, standbys []string) error {
	counts := map[string]bool{}
	for _, n := range standbys {
		counts[n] = true
	}
	err := until(ctx, func() (bool, error) {
		r, err := s.Replication(ctx)
		for _, st := range r.Streams {
			if st.Counts != counts[st.Name] {
				return false, err
			}
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	return s.probe(ctx) // it waits for one of them
}

const probeName = "stampede sync probe"

// probe commits something that waits for a standby as any commit does.
func (s *Server) probe(ctx context.Context) error {
	cfg, err := pgx.ParseConfig(s.AdminDSN("postgres"))
	if err != nil {
		return err
	}
	cfg.RuntimeParams["application_name"], cfg.RuntimeParams["synchronous_commit"] = probeName, "on"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, "SELECT pg_logical_emit_message(true, 'stampede', 'sync')")
	return err
}

// probeUntil commits again and again, until one was seen to wait and has been released.
func (s *Server) probeUntil(ctx context.Context, seen *atomic.Bool) error {
	for {
		if err := s.probe(ctx); err != nil || seen.Load() {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// awaitHung returns when a probe is seen to wait.
func (s *Server) awaitHung(ctx context.Context) error {
	return until(ctx, func() (hangs bool, err error) {
		err = s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
			return c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'SyncRep')",
				probeName).Scan(&hangs)
		})
		return hangs, err
	})
}

// until looks every few milliseconds.
func until(ctx context.Context, look func() (bool, error)) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := look(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
