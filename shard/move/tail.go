package move

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// change is a row of shard_move.changes.
type change struct {
	ID   int64
	Tbl  string
	Dest string
	PK   json.RawMessage
}

// mark is what makes two changes the same.
func (c change) mark() string { return c.Tbl + "\x00" + c.Dest + "\x00" + string(c.PK) }

// replay applies the oldest captured changes, at most limit, and returns them. What is under their keys is read as it is now, so
// that neither order nor repetition matters.
func (r *run) replay(ctx context.Context, src *node, limit int) ([]change, error) {
	for {
		some, err := src.changes(ctx, limit)
		if err != nil || len(some) == 0 {
			return nil, err
		}
		err = r.apply(ctx, src, some)
		// A row may have taken over a unique value from one whose own change comes later: take more of them at once.
		if hasCode(err, "23505") && len(some) == limit && limit < maxReplay {
			limit = min(2*limit, maxReplay)
			continue
		}
		if err != nil {
			return nil, err
		}
		ids := make([]int64, len(some))
		for i, c := range some {
			ids[i] = c.ID
		}
		r.remember(src, some)
		_, err = src.db.Exec(ctx, `DELETE FROM shard_move.changes WHERE id = ANY ($1)`, ids)
		return some, err
	}
}

const maxReplay = 20_000

func (n *node) changes(ctx context.Context, limit int) ([]change, error) {
	rows, err := n.db.Query(ctx, `SELECT id, tbl, dest, pk FROM shard_move.changes ORDER BY id LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[change])
}

// parcelsOf groups changes by table and destination, each key once.
func parcelsOf(some []change) map[string]map[string]*parcel {
	byTable, seen := map[string]map[string]*parcel{}, map[string]bool{}
	for _, c := range some {
		mark := c.mark()
		if seen[mark] {
			continue
		}
		seen[mark] = true
		if byTable[c.Tbl] == nil {
			byTable[c.Tbl] = map[string]*parcel{}
		}
		p := byTable[c.Tbl][c.Dest]
		if p == nil {
			p = &parcel{dest: c.Dest}
			byTable[c.Tbl][c.Dest] = p
		}
		p.keys = append(p.keys, c.PK)
	}
	return byTable
}

func (r *run) apply(ctx context.Context, src *node, some []change) error {
	byTable := parcelsOf(some)
	for _, t := range r.tables {
		for dest, p := range byTable[t.Name] {
			if err := src.fetch(ctx, t, p); err != nil {
				return err
			}
			if err := r.nodes[dest].replace(ctx, t, p); err != nil {
				return fmt.Errorf("%s of %s to %s: %w", t.Name, src.id, dest, err)
			}
		}
	}
	return nil
}

// drain replays until little is left, and returns what it replayed. Under load there is always something left.
func (r *run) drain(ctx context.Context, src *node) (all []change, err error) {
	r.m.look(ctx, src)
	defer r.m.look(ctx, src)
	for {
		some, err := r.replay(ctx, src, r.o.Batch)
		all = append(all, some...)
		r.count(func(p *Progress) { p.Replayed += int64(len(some)) })
		if err != nil || len(some) < r.o.Batch {
			return all, err
		}
		if err := r.throttle(ctx, src); err != nil {
			return all, err
		}
	}
}

// drainAll replays until nothing is left: when writes are held.
func (r *run) drainAll(ctx context.Context, src *node) (all []change, err error) {
	for {
		some, err := r.replay(ctx, src, maxReplay)
		if err != nil || len(some) == 0 {
			return all, err
		}
		all = append(all, some...)
		r.count(func(p *Progress) { p.Replayed += int64(len(some)) })
	}
}

// catchUp replays while rows are copied: a copy that met a unique value whose earlier owner has changed since.
func (r *run) catchUp(ctx context.Context, src *node, err error) error {
	if !hasCode(err, "23505") {
		return err
	}
	if _, derr := r.drain(ctx, src); derr != nil {
		return errors.Join(err, derr)
	}
	return nil
}
