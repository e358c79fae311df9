package move

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// parcel is rows of one table on their way to one shard: what is under the keys is replaced by the rows.
type parcel struct {
	dest     string
	keys     []json.RawMessage   // primary keys, as objects
	rows     []json.RawMessage   // what the source has of them now
	children [][]json.RawMessage // per child table
}

func array(items []json.RawMessage) []byte {
	if items == nil {
		items = []json.RawMessage{}
	}
	raw, _ := json.Marshal(items) // valid already: cannot fail
	return raw
}

// readOnly runs fn on one snapshot.
func (n *node) readOnly(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, n.db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
}

// window reads the moving rows of a window.
func (n *node) window(ctx context.Context, t *table, after, upTo []string) (map[string]*parcel, error) {
	parcels := map[string]*parcel{}
	err := n.readOnly(ctx, func(tx pgx.Tx) error {
		var args []any
		cond := t.within("t", after, upTo, &args)
		rows, err := tx.Query(ctx, fmt.Sprintf("SELECT shard_move.after(%s), %s, row_to_json(t) FROM %s t WHERE %s AND %s",
			t.key("t"), t.pkObject("t"), t.ident(), cond, n.outgoing(t, "t")), args...)
		if err != nil {
			return err
		}
		var dest string
		var key, row json.RawMessage
		_, err = pgx.ForEachRow(rows, []any{&dest, &key, &row}, func() error {
			p := parcels[dest]
			if p == nil {
				p = &parcel{dest: dest}
				parcels[dest] = p
			}
			p.keys, p.rows = append(p.keys, clone(key)), append(p.rows, clone(row))
			return nil
		})
		if err != nil {
			return err
		}
		for _, p := range parcels {
			if err := t.readChildren(ctx, tx, p); err != nil {
				return err
			}
		}
		return nil
	})
	return parcels, err
}

func clone(raw json.RawMessage) json.RawMessage { return append(json.RawMessage(nil), raw...) }

// fetch reads what the source has now under the parcel's keys.
func (n *node) fetch(ctx context.Context, t *table, p *parcel) error {
	return n.readOnly(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf("SELECT row_to_json(t) FROM json_populate_recordset(NULL::%[1]s, $1::json) k JOIN %[1]s t ON %[2]s",
			t.ident(), t.joinOn("t", "k")), array(p.keys))
		if err == nil {
			p.rows, err = pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
		}
		if err != nil {
			return err
		}
		return t.readChildren(ctx, tx, p)
	})
}

func (t *table) readChildren(ctx context.Context, tx pgx.Tx, p *parcel) error {
	p.children = make([][]json.RawMessage, len(t.children))
	for i, c := range t.children {
		def := t.Children[i]
		rows, err := tx.Query(ctx, fmt.Sprintf("SELECT row_to_json(c) FROM json_populate_recordset(NULL::%s, $1::json) k JOIN %s c ON c.%s = k.%s",
			t.ident(), c.ident(), ident(def.Column), ident(def.Parent)), array(p.rows))
		if err == nil {
			p.children[i], err = pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// replace puts a parcel in place of what its shard has under the keys. Deleting first keeps unique indexes from standing in
// the way of rows that take each other's place.
func (n *node) replace(ctx context.Context, t *table, p *parcel) error {
	if len(p.keys) == 0 {
		return nil
	}
	return n.asMover(ctx, func(tx pgx.Tx) error {
		var b pgx.Batch
		for i, c := range t.children {
			def := t.Children[i]
			b.Queue(fmt.Sprintf("DELETE FROM %s c USING json_populate_recordset(NULL::%s, $1::json) k WHERE c.%s = k.%s",
				c.ident(), t.ident(), ident(def.Column), ident(def.Parent)), array(p.keys))
		}
		b.Queue(fmt.Sprintf("DELETE FROM %[1]s t USING json_populate_recordset(NULL::%[1]s, $1::json) k WHERE %[2]s", t.ident(), t.joinOn("t", "k")), array(p.keys))
		b.Queue(t.insertSQL(), array(p.rows))
		for i, c := range t.children {
			b.Queue(c.insertSQL(), array(p.children[i]))
		}
		return tx.SendBatch(ctx, &b).Close()
	})
}

func (t *table) insertSQL() string {
	cols := names(t.columns, "")
	return fmt.Sprintf("INSERT INTO %[1]s (%[2]s) OVERRIDING SYSTEM VALUE SELECT %[2]s FROM json_populate_recordset(NULL::%[1]s, $1::json)", t.ident(), cols)
}
