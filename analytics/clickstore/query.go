package clickstore

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/stampede-shop/stampede/analytics"
)

// resultBytes bounds what a query yields, as this process has to hold it.
const resultBytes = 256 << 20

// Query implements analytics.Store. The SQL is ClickHouse's.
func (s *Store) Query(ctx context.Context, sql string, o analytics.QueryOptions) (*analytics.Result, error) {
	o = o.WithDefaults()
	sql, explain, err := onlyReads(sql)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	out := &analytics.Result{Rows: [][]any{}}
	err = s.reading(ctx, func(client *ch.Client) error {
		if explain {
			out.Columns, out.Types = []string{"explain"}, []string{"String"}
			return s.texts(ctx, client, sql, resultBytes, func(line []byte) error { return keep(out, []any{string(line)}, o.MaxRows) })
		}
		if out.Columns, out.Types, err = s.describe(ctx, client, sql); err != nil {
			return err
		}
		// The server writes the rows: it knows all its types, the client does not.
		rows := fmt.Sprintf("SELECT formatRowNoNewline('JSONCompactEachRow', *) AS line FROM (\n%s\n) LIMIT %d", sql, o.MaxRows+1)
		return s.texts(ctx, client, rows, resultBytes, func(line []byte) error {
			row, err := rowOf(line, out.Types)
			if err != nil {
				return err
			}
			return keep(out, row, o.MaxRows)
		})
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, queryError(ctx, err, o.Timeout)
	}
	return out, nil
}

// errEnough ends a query of which there is enough.
var errEnough = errors.New("enough")

func keep(out *analytics.Result, row []any, most int) error {
	if len(out.Rows) == most {
		out.More = true
		return errEnough
	}
	out.Rows = append(out.Rows, row)
	return nil
}

// queryError says what is wrong in the interface's words.
func queryError(ctx context.Context, err error, limit time.Duration) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the query did not end within %s: %w", limit, ctx.Err())
	case ch.IsErr(err, proto.ErrTimeoutExceeded):
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	case ch.IsErr(err, proto.ErrReadonly):
		return fmt.Errorf("%w: %w", analytics.ErrNotRead, err)
	}
	return err
}

// describe tells names and types of what a query yields.
func (s *Store) describe(ctx context.Context, client *ch.Client, sql string) (names, types []string, err error) {
	var name, typ, kind, expression, comment, codec, ttl proto.ColStr
	result := proto.Results{{Name: "name", Data: &name}, {Name: "type", Data: &typ}, {Name: "default_type", Data: &kind}, {Name: "default_expression", Data: &expression},
		{Name: "comment", Data: &comment}, {Name: "codec_expression", Data: &codec}, {Name: "ttl_expression", Data: &ttl}}
	err = s.ask(ctx, client, "DESCRIBE TABLE (\n"+sql+"\n)", result, func() error {
		for i := range name.Rows() {
			names, types = append(names, name.Row(i)), append(types, typ.Row(i))
		}
		return nil
	})
	return names, types, err
}

// texts calls f with each line of a query that yields one column of texts. The line is f's only until it returns.
func (s *Store) texts(ctx context.Context, client *ch.Client, sql string, most int64, f func(line []byte) error) error {
	var col proto.ColStr
	settings := append(s.bounds(ctx), setting("output_format_json_quote_64bit_integers", 0),
		setting("output_format_json_quote_denormals", 1), setting("output_format_json_escape_forward_slashes", 0),
		ch.Setting{Key: "date_time_output_format", Value: "iso", Important: true}, ch.Setting{Key: "format_csv_null_representation", Important: true})
	if most > 0 {
		settings = append(settings, setting("max_result_bytes", most))
	}
	return do(ctx, client, ch.Query{Body: sql, Result: proto.Results{{Data: &col}}, Settings: settings, OnResult: func(context.Context, proto.Block) error {
		for i := range col.Rows() {
			if err := f(col.RowBytes(i)); err != nil {
				return err
			}
		}
		return nil
	}})
}

// rowOf reads a row that the server has written as JSON.
func rowOf(line []byte, types []string) ([]any, error) {
	var row []any
	dec := json.NewDecoder(strings.NewReader(string(line)))
	dec.UseNumber()
	if err := dec.Decode(&row); err != nil || len(row) != len(types) {
		return nil, fmt.Errorf("clickstore: a row of %d columns is not to be read: %w", len(types), err)
	}
	for i := range row {
		row[i] = plain(row[i], types[i])
	}
	return row, nil
}

// plain makes of a value what the other store makes of it.
func plain(v any, typ string) any {
	typ = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(typ, "LowCardinality("), "Nullable("), ")")
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil && !strings.HasPrefix(typ, "Float") && !strings.HasPrefix(typ, "Decimal") {
			return n
		}
		if f, err := v.Float64(); err == nil && strings.HasPrefix(typ, "Float") {
			return f
		}
	case string:
		if strings.HasPrefix(typ, "DateTime") {
			if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
				return t.UTC().Format("2006-01-02T15:04:05.999999Z")
			}
		}
	}
	return v
}

// Export implements analytics.Store, as CSV.
func (s *Store) Export(ctx context.Context, w io.Writer, sql string, format analytics.Format) error {
	sql, explain, err := onlyReads(sql)
	switch {
	case err != nil:
		return err
	case explain:
		return analytics.ErrNotRead
	case format == analytics.Parquet || format == analytics.JSON:
		return fmt.Errorf("clickstore: %s is not written here: take csv, or ask the server with its own client", format)
	case format != analytics.CSV:
		return fmt.Errorf("there is no format %q: take csv", format)
	}
	return s.reading(ctx, func(client *ch.Client) error {
		names, _, err := s.describe(ctx, client, sql)
		if err != nil {
			return err
		}
		head := csv.NewWriter(w)
		if err := errors.Join(head.Write(names), flushed(head)); err != nil {
			return err
		}
		return s.texts(ctx, client, "SELECT formatRow('CSV', *) AS line FROM (\n"+sql+"\n)", 0, func(line []byte) error {
			_, err := w.Write(line)
			return err
		})
	})
}

func flushed(w *csv.Writer) error { w.Flush(); return w.Error() }
