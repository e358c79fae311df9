package move

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// digest sums up rows: how many, and the sum of their hashes, as text.
type digest struct {
	rows int64
	sum  string
}

const digestColumns = "count(*), coalesce(sum(%s::numeric), 0)::text"

// digests sums up the moving rows of a window on their source, by destination.
func (n *node) digests(ctx context.Context, t *table, after, upTo []string) (map[string]digest, error) {
	var args []any
	cond := t.within("t", after, upTo, &args)
	rows, err := n.db.Query(ctx, fmt.Sprintf("SELECT shard_move.after(%s) AS dest, "+digestColumns+" FROM %s t WHERE %s AND %s GROUP BY dest",
		t.key("t"), t.fingerprint("t"), t.ident(), cond, n.outgoing(t, "t")), args...)
	if err != nil {
		return nil, err
	}
	out := map[string]digest{}
	var dest string
	var d digest
	_, err = pgx.ForEachRow(rows, []any{&dest, &d.rows, &d.sum}, func() error {
		out[dest] = d
		return nil
	})
	return out, err
}

// arrived is the condition on a row of the target that it is a copy from a source.
func (n *node) arrived(t *table, row, from string) string {
	k := t.key(row)
	return fmt.Sprintf("shard_move.before(%s) = %s AND shard_move.after(%s) = %s", k, quote(from), k, quote(n.id))
}

// digestFrom sums up a window's copies on their target.
func (n *node) digestFrom(ctx context.Context, t *table, after, upTo []string, from string) (d digest, err error) {
	var args []any
	cond := t.within("t", after, upTo, &args)
	err = n.db.QueryRow(ctx, fmt.Sprintf("SELECT "+digestColumns+" FROM %s t WHERE %s AND %s", t.fingerprint("t"), t.ident(), cond,
		n.arrived(t, "t", from)), args...).Scan(&d.rows, &d.sum)
	return d, err
}

// prints are the fingerprints of a window's rows by primary key.
func (n *node) prints(ctx context.Context, t *table, after, upTo []string, which string) (map[string]int64, error) {
	var args []any
	cond := t.within("t", after, upTo, &args)
	return n.printsBy(ctx, fmt.Sprintf("SELECT %s, %s FROM %s t WHERE %s AND %s", t.pkObject("t"), t.fingerprint("t"), t.ident(), cond, which), args...)
}

// printsOf are the fingerprints of the rows under some primary keys.
func (n *node) printsOf(ctx context.Context, t *table, keys []json.RawMessage) (map[string]int64, error) {
	return n.printsBy(ctx, fmt.Sprintf("SELECT %[2]s, %[3]s FROM json_populate_recordset(NULL::%[1]s, $1::json) k JOIN %[1]s t ON %[4]s",
		t.ident(), t.pkObject("t"), t.fingerprint("t"), t.joinOn("t", "k")), array(keys))
}

func (n *node) printsBy(ctx context.Context, sql string, args ...any) (map[string]int64, error) {
	rows, err := n.db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	var key string
	var hash int64
	_, err = pgx.ForEachRow(rows, []any{&key, &hash}, func() error {
		out[key] = hash
		return nil
	})
	return out, err
}

// different lists keys that the two do not agree about.
func different(a, b map[string]int64) (keys []json.RawMessage) {
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			keys = append(keys, json.RawMessage(k))
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, json.RawMessage(k))
		}
	}
	return keys
}

// compare looks at all moving rows of a source and returns, as changes without an id, those that seem to differ. Rows that were
// changed but not replayed yet are among them.
func (r *run) compare(ctx context.Context, src *node) (suspects []change, err error) {
	for _, t := range r.tables {
		for at, more := []string(nil), true; more; {
			end, err := src.windowEnd(ctx, t, at, r.o.Window)
			if err != nil {
				return nil, err
			}
			some, err := r.compareWindow(ctx, src, t, at, end)
			if err != nil {
				return nil, err
			}
			suspects = append(suspects, some...)
			if len(suspects) > maxReplay {
				return nil, fmt.Errorf("%w: more than %d rows of %s", ErrVerify, maxReplay, t.Name)
			}
			if err := r.throttle(ctx, src); err != nil {
				return nil, err
			}
			at, more = end, end != nil
		}
	}
	return suspects, nil
}

func (r *run) compareWindow(ctx context.Context, src *node, t *table, at, end []string) (suspects []change, err error) {
	here, err := src.digests(ctx, t, at, end)
	if err != nil {
		return nil, err
	}
	for _, dest := range r.targets {
		if dest.id == src.id {
			continue
		}
		there, err := dest.digestFrom(ctx, t, at, end, src.id)
		if err != nil {
			return nil, err
		}
		mine := here[dest.id]
		r.count(func(p *Progress) { p.Compared += mine.rows })
		if mine.sum == "" {
			mine.sum = "0"
		}
		if mine == there {
			continue
		}
		which := src.outgoing(t, "t") + fmt.Sprintf(" AND shard_move.after(%s) = %s", t.key("t"), quote(dest.id))
		a, err := src.prints(ctx, t, at, end, which)
		if err != nil {
			return nil, err
		}
		b, err := dest.prints(ctx, t, at, end, dest.arrived(t, "t", src.id))
		if err != nil {
			return nil, err
		}
		for _, key := range different(a, b) {
			suspects = append(suspects, change{Tbl: t.Name, Dest: dest.id, PK: key})
		}
	}
	return suspects, nil
}

// recheck compares single rows again and returns those that still differ.
func (r *run) recheck(ctx context.Context, src *node, suspects []change) (still []change, err error) {
	byTable := parcelsOf(suspects)
	for _, t := range r.tables {
		for dest, p := range byTable[t.Name] {
			for keys := range slices.Chunk(p.keys, r.o.Window) {
				a, err := src.printsOf(ctx, t, keys)
				if err != nil {
					return nil, err
				}
				b, err := r.nodes[dest].printsOf(ctx, t, keys)
				if err != nil {
					return nil, err
				}
				for _, key := range different(a, b) {
					still = append(still, change{Tbl: t.Name, Dest: dest, PK: key})
				}
			}
		}
	}
	return still, nil
}

// verify compares everything, replays what has changed, and looks again at what differed. What still differs is copied again and
// kept in mind: under load it may only have changed once more, which is told apart when writes are held.
func (r *run) verify(ctx context.Context, src *node) error {
	doubts, err := r.compare(ctx, src)
	for round := 0; err == nil && len(doubts) > 0 && round < 4; round++ {
		if _, err = r.drain(ctx, src); err == nil {
			doubts, err = r.recheck(ctx, src, doubts)
		}
	}
	if err != nil || len(doubts) == 0 {
		return err
	}
	r.count(func(p *Progress) { p.Repaired += int64(len(doubts)) })
	r.remember(src, doubts)
	return r.apply(ctx, src, doubts)
}
