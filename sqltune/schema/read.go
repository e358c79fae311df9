package schema

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// DB is what a schema is read from: a connection, pool or transaction of pgx.
type DB interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// MaxTables is how many tables are read, largest first.
const MaxTables = 5000

// Read reads the schema, without system tables.
func Read(ctx context.Context, db DB) (*Schema, error) {
	s := &Schema{Extensions: map[string]string{}}
	var since *time.Time
	err := db.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),
		(SELECT coalesce(stats_reset, pg_postmaster_start_time()) FROM pg_stat_database WHERE datname = current_database())`).
		Scan(&s.Version, &s.Standby, &since)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	if since != nil {
		s.Since = *since
	}
	byOID := map[uint32]*Table{}
	for _, part := range []func(context.Context, DB, map[uint32]*Table) error{s.extensions, s.tables, s.columns, s.indexes} {
		if err := part(ctx, db, byOID); err != nil {
			return nil, fmt.Errorf("read the schema: %w", err)
		}
	}
	return s, nil
}

func (s *Schema) extensions(ctx context.Context, db DB, _ map[uint32]*Table) error {
	rows, err := db.Query(ctx, `SELECT e.extname, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace`)
	if err != nil {
		return err
	}
	var name, schema string
	_, err = pgx.ForEachRow(rows, []any{&name, &schema}, func() error {
		s.Extensions[name] = schema
		return nil
	})
	return err
}

func (s *Schema) tables(ctx context.Context, db DB, byOID map[uint32]*Table) error {
	rows, err := db.Query(ctx, `
		SELECT c.oid, n.nspname, c.relname, greatest(c.reltuples, 0)::float8, c.relpages::float8, c.relkind = 'p' OR c.relispartition,
			coalesce(st.n_tup_ins, 0)::float8, coalesce(st.n_tup_upd, 0)::float8, coalesce(st.n_tup_hot_upd, 0)::float8,
			coalesce(st.n_tup_del, 0)::float8
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_user_tables st ON st.relid = c.oid
		WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
		ORDER BY c.relpages DESC, n.nspname, c.relname LIMIT $1`, MaxTables)
	if err != nil {
		return err
	}
	var oid uint32
	var t Table
	_, err = pgx.ForEachRow(rows, []any{&oid, &t.Schema, &t.Name, &t.Rows, &t.Pages, &t.Partition, &t.Inserted, &t.Updated, &t.HotUpdated,
		&t.Deleted}, func() error {
		one := t
		byOID[oid] = &one
		s.Tables = append(s.Tables, &one)
		return nil
	})
	return err
}

func (s *Schema) columns(ctx context.Context, db DB, byOID map[uint32]*Table) error {
	rows, err := db.Query(ctx, `
		SELECT a.attrelid, a.attname, a.attnum::int, format_type(a.atttypid, a.atttypmod), coalesce(st.n_distinct, 0)::float8,
			coalesce(st.null_frac, 0)::float8, coalesce(st.avg_width, 0)::float8,
			coalesce(left(st.most_common_vals::text, 100000)::text, ''), coalesce(st.most_common_freqs::float8[], '{}')
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_stats st ON st.schemaname = n.nspname AND st.tablename = c.relname AND st.attname = a.attname
			AND st.inherited = (c.relkind = 'p')
		WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
		ORDER BY a.attrelid, a.attnum`)
	if err != nil {
		return err
	}
	var oid uint32
	var c Column
	var common string
	_, err = pgx.ForEachRow(rows, []any{&oid, &c.Name, &c.Num, &c.Type, &c.Distinct, &c.Nulls, &c.Width, &common, &c.Shares}, func() error {
		if t := byOID[oid]; t != nil {
			one := c
			one.Common = arrayOf(common)
			t.Columns = append(t.Columns, &one)
			t.Analyzed = t.Analyzed || c.Width > 0
		}
		c.Shares = nil
		return nil
	})
	return err
}

func (s *Schema) indexes(ctx context.Context, db DB, byOID map[uint32]*Table) error {
	rows, err := db.Query(ctx, `
		SELECT i.indrelid, n.nspname, c.relname, m.amname, i.indisunique, i.indisprimary, i.indisvalid AND i.indisready,
			i.indisreplident OR i.indisexclusion OR EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
				OR EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid),
			coalesce(pg_get_expr(i.indpred, i.indrelid), ''), pg_relation_size(i.indexrelid)::float8, coalesce(st.idx_scan, 0)::float8,
			pg_get_indexdef(i.indexrelid),
			ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, true) FROM generate_series(1, i.indnkeyatts) k ORDER BY k),
			ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, true) FROM generate_series(i.indnkeyatts + 1, i.indnatts) k ORDER BY k),
			ARRAY(SELECT CASE WHEN o.opcdefault THEN '' ELSE o.opcname END FROM unnest(i.indclass::oid[]) WITH ORDINALITY x(op, k)
				JOIN pg_opclass o ON o.oid = x.op ORDER BY k)::text[],
			ARRAY(SELECT x.o & 1 = 1 FROM unnest(i.indoption::int2[]) WITH ORDINALITY x(o, k) ORDER BY k)
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = c.relam
		LEFT JOIN pg_stat_user_indexes st ON st.indexrelid = i.indexrelid
		WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY i.indrelid, c.relname`)
	if err != nil {
		return err
	}
	var oid uint32
	var i Index
	_, err = pgx.ForEachRow(rows, []any{&oid, &i.Schema, &i.Name, &i.Method, &i.Unique, &i.Primary, &i.Valid, &i.Needed, &i.Where, &i.Bytes,
		&i.Scans, &i.Def, &i.Keys, &i.Include, &i.Classes, &i.Desc}, func() error {
		if t := byOID[oid]; t != nil {
			one := i
			t.Indexes = append(t.Indexes, &one)
		}
		i.Keys, i.Include, i.Classes, i.Desc = nil, nil, nil, nil
		return nil
	})
	return err
}

// arrayOf reads an array as PostgreSQL prints it, of one dimension; what was cut off at the end is left out.
func arrayOf(s string) (list []string) {
	if len(s) < 2 || s[0] != '{' {
		return nil
	}
	var b []byte
	quoted, any := false, false
	for k := 1; k < len(s); k++ {
		switch c := s[k]; {
		case c == '\\' && k+1 < len(s):
			k++
			b, any = append(b, s[k]), true
		case c == '"':
			quoted, any = !quoted, true
		case (c == ',' || c == '}') && !quoted:
			if any {
				list = append(list, string(b))
			}
			b, any = nil, false
		default:
			b, any = append(b, c), true
		}
	}
	return list
}
