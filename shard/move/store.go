package move

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// CoordinatorSQL makes the tables that topology, moves and members are kept in.
//
//go:embed coordinator.sql
var CoordinatorSQL string

// channel is notified of every change of the topology.
const channel = "shard_topology"

// Phase is what processes have to heed.
type Phase string

// Phases of a topology.
const (
	Steady   Phase = "steady"   // nothing moves
	Moving   Phase = "moving"   // keys are copied; the old map is in force
	Holding  Phase = "holding"  // work on keys that move has to wait
	Cleaning Phase = "cleaning" // the new map is in force
)

// State is the topology as processes see it.
type State struct {
	Version int64     // of Map
	Epoch   int64     // of the whole
	Phase   Phase     //
	Map     Topology  // in force
	Next    *Topology // that a move leads to; nil without one
	MoveID  int64     // 0 without one
}

// Move is one move's record.
type Move struct {
	ID        int64     `json:"id"`
	State     string    `json:"state"`
	Map       Topology  `json:"-"`
	Next      Topology  `json:"-"`
	Progress  Progress  `json:"progress"`
	CreatedAt time.Time `json:"created_at"`
}

// Progress is how far a move is.
type Progress struct {
	Cursors  map[string][]string `json:"cursors,omitempty"` // source/table: primary key up to which rows are copied; empty at the end
	Copied   int64               `json:"copied"`            // rows
	Replayed int64               `json:"replayed"`          // changes
	Compared int64               `json:"compared"`          // rows, in the last comparison
	Repaired int64               `json:"repaired"`          // rows that differed without a change and were copied again
	Attempts int                 `json:"attempts"`          // at the cutover
	HeldMS   int64               `json:"held_ms"`           // how long writes were held, in the attempt that succeeded
	Deleted  int64               `json:"deleted"`           // old rows
}

// Store keeps topology, moves and members in one database, whose tables CoordinatorSQL made. It borrows the pool, which must lead to the primary.
type Store struct{ db *pgxpool.Pool }

// NewStore uses the pool of the coordinating database.
func NewStore(db *pgxpool.Pool) *Store { return &Store{db} }

const readState = `SELECT version, epoch, phase, map, next, coalesce(move_id, 0) FROM shard_topology`

func scanState(row pgx.Row) (s State, err error) {
	err = row.Scan(&s.Version, &s.Epoch, &s.Phase, &s.Map, &s.Next, &s.MoveID)
	return s, err
}

// Init makes the first topology, unless there is one, and returns the one that is.
func (s *Store) Init(ctx context.Context, t Topology) (State, error) {
	_, err := s.db.Exec(ctx, `INSERT INTO shard_topology (version, epoch, phase, map) VALUES (1, 1, 'steady', $1) ON CONFLICT DO NOTHING`, t)
	if err != nil {
		return State{}, err
	}
	return s.Read(ctx)
}

// Read returns the topology.
func (s *Store) Read(ctx context.Context) (State, error) {
	return scanState(s.db.QueryRow(ctx, readState))
}

// beat says that a member lives and has acted on an epoch, ends a hold that is over, and returns the topology.
func (s *Store) beat(ctx context.Context, id string, epoch int64) (st State, err error) {
	var b pgx.Batch
	b.Queue(`INSERT INTO shard_members (id, epoch, seen_at) VALUES ($1, $2, clock_timestamp())
		ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, seen_at = excluded.seen_at`, id, epoch)
	b.Queue(`WITH over AS (UPDATE shard_topology SET phase = 'moving', hold_until = NULL, epoch = epoch + 1, updated_at = now()
		WHERE phase = 'holding' AND hold_until < clock_timestamp() RETURNING 1) SELECT pg_notify($1, '') FROM over`, channel)
	b.Queue(readState).QueryRow(func(row pgx.Row) error {
		st, err = scanState(row)
		return err
	})
	err = s.db.SendBatch(ctx, &b).Close()
	return st, err
}

func (s *Store) leave(ctx context.Context, id string) error {
	_, err := s.db.Exec(ctx, `DELETE FROM shard_members WHERE id = $1`, id)
	return err
}

// behind counts live members that have not acted on the epoch yet. Members not seen for the lease, by the database's clock, are dead.
func (s *Store) behind(ctx context.Context, epoch int64, lease time.Duration) (n int, err error) {
	err = s.db.QueryRow(ctx, `SELECT count(*) FROM shard_members WHERE epoch < $1 AND seen_at > clock_timestamp() - make_interval(secs => $2)`,
		epoch, lease.Seconds()).Scan(&n)
	return n, err
}

// begin records a move and announces it.
func (s *Store) begin(ctx context.Context, next Topology) (m Move, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		st, err := scanState(tx.QueryRow(ctx, readState+` FOR UPDATE`))
		if err != nil {
			return err
		}
		if st.Phase != Steady {
			return ErrBusy
		}
		err = tx.QueryRow(ctx, `INSERT INTO shard_moves (state, map, next) VALUES ('announced', $1, $2) RETURNING id`, st.Map, next).Scan(&m.ID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE shard_topology SET phase = 'moving', next = $1, move_id = $2, epoch = epoch + 1, updated_at = now()`, next, m.ID)
		return errors.Join(err, notify(ctx, tx))
	})
	if err != nil {
		return Move{}, err
	}
	return s.Current(ctx)
}

func notify(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_notify($1, '')`, channel)
	return err
}

// Current returns the move under way, or ErrNoMove.
func (s *Store) Current(ctx context.Context) (m Move, err error) {
	err = s.db.QueryRow(ctx, `SELECT m.id, m.state, m.map, m.next, m.progress, m.created_at FROM shard_moves m JOIN shard_topology t ON t.move_id = m.id`).
		Scan(&m.ID, &m.State, &m.Map, &m.Next, &m.Progress, &m.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return m, ErrNoMove
	}
	return m, err
}

// save records a move's state and progress.
func (s *Store) save(ctx context.Context, m Move) error {
	_, err := s.db.Exec(ctx, `UPDATE shard_moves SET state = $2, progress = $3, updated_at = now() WHERE id = $1`, m.ID, m.State, m.Progress)
	return err
}

// hold asks members to hold moving keys for at most d, and returns the epoch to wait for.
func (s *Store) hold(ctx context.Context, id int64, d time.Duration) (epoch int64, err error) {
	return s.shift(ctx, `UPDATE shard_topology SET phase = 'holding', hold_until = clock_timestamp() + make_interval(secs => $2), epoch = epoch + 1,
		updated_at = now() WHERE move_id = $1 AND phase = 'moving' RETURNING epoch`, id, d.Seconds())
}

// release ends a hold; errHoldLost when there is none, which is as good.
func (s *Store) release(ctx context.Context, id int64) (epoch int64, err error) {
	return s.shift(ctx, `UPDATE shard_topology SET phase = 'moving', hold_until = NULL, epoch = epoch + 1, updated_at = now()
		WHERE move_id = $1 AND phase = 'holding' RETURNING epoch`, id)
}

// commit puts the new map in force, if the hold of the epoch still stands.
func (s *Store) commit(ctx context.Context, m Move, held int64) (epoch int64, err error) {
	return s.shift(ctx, `WITH now_in_force AS (
		UPDATE shard_topology SET map = next, next = NULL, version = version + 1, phase = 'cleaning', hold_until = NULL, epoch = epoch + 1, updated_at = now()
		WHERE move_id = $1 AND phase = 'holding' AND epoch = $2 AND hold_until > clock_timestamp() RETURNING epoch, move_id),
	recorded AS (UPDATE shard_moves m SET state = 'cleaning', progress = $3, updated_at = now() FROM now_in_force n WHERE m.id = n.move_id)
	SELECT epoch FROM now_in_force`, m.ID, held, m.Progress)
}

// finish ends a move in its last state.
func (s *Store) finish(ctx context.Context, m Move) error {
	_, err := s.shift(ctx, `WITH over AS (
		UPDATE shard_topology SET next = NULL, move_id = NULL, phase = 'steady', hold_until = NULL, epoch = epoch + 1, updated_at = now()
		WHERE move_id = $1 RETURNING epoch, $1::bigint AS id),
	recorded AS (UPDATE shard_moves m SET state = $2, progress = $3, updated_at = now() FROM over WHERE m.id = over.id)
	SELECT epoch FROM over`, m.ID, m.State, m.Progress)
	return err
}

// shift runs a conditional change of the topology that returns the new epoch, and tells members.
func (s *Store) shift(ctx context.Context, sql string, args ...any) (epoch int64, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, sql, args...).Scan(&epoch)
		if errors.Is(err, pgx.ErrNoRows) {
			return errHoldLost
		}
		return errors.Join(err, notify(ctx, tx))
	})
	if err != nil && !errors.Is(err, errHoldLost) {
		err = fmt.Errorf("move: topology: %w", err)
	}
	return epoch, err
}
