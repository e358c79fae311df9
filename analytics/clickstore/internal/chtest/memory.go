package chtest

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"
)

// Memory is an Engine that stands in for ClickHouse's where that is not to be had: it keeps the rows that come, drops blocks whose token
// it has seen, and understands the few questions that the store asks of its own. It is no database.
type Memory struct {
	mu  sync.Mutex
	dbs map[string]*memory
}

// memory is a database.
type memory struct {
	events   []map[string]any
	places   []map[string]any
	tokens   map[string]bool
	versions []uint64
	made     time.Time
	ttl      string
	parts    int
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{dbs: map[string]*memory{"default": {}}} }

func (e *Memory) in(q Query) (*memory, error) {
	db := e.dbs[q.Database]
	if db == nil {
		return nil, Wrong(proto.ErrUnknownDatabase, "Database "+q.Database+" does not exist")
	}
	return db, nil
}

var tables = map[string][]string{
	"event": {"id UUID", "time DateTime64(6, 'UTC')", "received DateTime64(6, 'UTC')", "kind LowCardinality(String)", "shopper Nullable(UInt64)", "product Nullable(Int64)",
		"order_id Nullable(UUID)", "category LowCardinality(Nullable(String))", "query Nullable(String)", "quantity Int32", "amount Int64",
		"currency LowCardinality(Nullable(String))", "source LowCardinality(Nullable(String))", "attributes Nullable(String)", "weight Float32",
		"append UInt64", "writer UInt64", "stream LowCardinality(String)", "sequence UInt64"},
	"place": {"one UInt8", "turn UInt64", "append UInt64", "stream String", "sequence UInt64"},
}

var intoTable = regexp.MustCompile(`^INSERT INTO "(\w+)"`)

func tableOf(q Query) string {
	if m := intoTable.FindStringSubmatch(q.Body); m != nil {
		return m[1]
	}
	return ""
}

// Columns implements Engine.
func (e *Memory) Columns(q Query) (want proto.Results, err error) {
	for _, column := range tables[tableOf(q)] {
		name, typ, _ := strings.Cut(column, " ")
		col, err := Column(typ)
		if err != nil {
			return nil, err
		}
		want = append(want, proto.ResultColumn{Name: name, Data: col})
	}
	if want == nil {
		return nil, Wrong(proto.ErrUnknownTable, q.Body)
	}
	return want, nil
}

// Insert implements Engine.
func (e *Memory) Insert(q Query, block proto.Results) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	db, err := e.in(q)
	if err != nil {
		return err
	}
	rows := make([]map[string]any, block.Rows())
	for i := range rows {
		rows[i] = map[string]any{}
		for _, c := range block {
			rows[i][c.Name] = value(c.Data, i)
		}
	}
	if tableOf(q) == "place" {
		db.places = append(db.places, rows...)
		return nil
	}
	token := q.Setting("insert_deduplication_token")
	if q.Setting("insert_deduplicate") == "1" && token != "" {
		if db.tokens[token] {
			return nil
		}
		db.tokens[token] = true
	}
	db.events, db.parts = append(db.events, rows...), db.parts+1
	return nil
}

func value(c proto.ColResult, i int) any {
	switch c := c.(type) {
	case *proto.ColUUID:
		return c.Row(i)
	case *proto.ColDateTime64:
		return int64(c.Data[i])
	case *proto.ColUInt64:
		return c.Row(i)
	case *proto.ColInt64:
		return c.Row(i)
	case *proto.ColInt32:
		return c.Row(i)
	case *proto.ColNullable[uint64]:
		return c.Row(i).Value
	case *proto.ColNullable[int64]:
		return c.Row(i).Value
	case *proto.ColNullable[uuid.UUID]:
		return c.Row(i).Value
	}
	return Text(c, i)
}

// question is one that the store asks.
type question struct {
	form   *regexp.Regexp
	answer func(db *memory, args []string) []proto.Input
}

func ask(form string, answer func(db *memory, args []string) []proto.Input) question {
	return question{regexp.MustCompile(`(?s)^` + form), answer}
}

var questions = []question{
	ask(`SELECT 1 AS one$`, func(*memory, []string) []proto.Input { return block(col("one", proto.ColUInt8{1})) }),
	ask(`CREATE (TABLE|OR REPLACE VIEW) `, func(*memory, []string) []proto.Input { return nil }),
	ask(`INSERT INTO made SELECT now64`, func(db *memory, _ []string) []proto.Input { db.made = time.Now(); return nil }),
	ask(`INSERT INTO schema_version SELECT (\d+)`, func(db *memory, a []string) []proto.Input {
		db.versions = append(db.versions, number(a[1]))
		return nil
	}),
	ask(`SELECT max\(version\) AS n`, func(db *memory, _ []string) []proto.Input {
		return block(col("n", proto.ColUInt64{slices.Max(append(db.versions, 0))}))
	}),
	ask(`SELECT engine_full FROM system.tables`, func(db *memory, _ []string) []proto.Input {
		return block(col("engine_full", textsOf("MergeTree ORDER BY (kind, time)"+db.ttl+" SETTINGS x = 1")))
	}),
	ask(`ALTER TABLE event MODIFY (TTL .*)`, func(db *memory, a []string) []proto.Input { db.ttl = " " + a[1]; return nil }),
	ask(`TRUNCATE TABLE event$`, func(db *memory, _ []string) []proto.Input { db.events = nil; return nil }), // tokens stay
	ask(`INSERT INTO place SELECT 1, max\(turn\) \+ 1, (\d+), `, func(db *memory, a []string) []proto.Input {
		p := maps.Clone(db.places[len(db.places)-1])
		p["turn"], p["append"] = p["turn"].(uint64)+1, number(a[1])
		db.places = append(db.places, p)
		return nil
	}),
	ask(`ALTER TABLE event REMOVE TTL`, func(db *memory, _ []string) []proto.Input { db.ttl = ""; return nil }),
	ask(`SELECT turn, append, stream, sequence FROM place ORDER BY turn DESC`, (*memory).placed),
	ask(`SELECT append, any.* WHERE append >= (\d+)\s`, (*memory).latest),
	ask(`SELECT id FROM event WHERE time >= \D+64Micro\((\d+), 'UTC'\) AND time <= \D+64Micro\((\d+), 'UTC'\) AND id IN \((.*)\)`, (*memory).stored),
	ask(`SELECT max\(received\).* received >= \D+64Micro\((\d+), 'UTC'\) .* n > (\d+)$`, (*memory).enough),
	ask(`SELECT id FROM event WHERE received >= \D+64Micro\((\d+), 'UTC'\)$`, (*memory).received),
	ask(`SELECT id, time, .* event.time >= \D+64Micro\((\d+), 'UTC'\) ORDER BY event.time DESC LIMIT (\d+)$`, (*memory).recent),
	ask(`SELECT sum\(rows\)`, func(db *memory, _ []string) []proto.Input {
		n := uint64(len(db.events))
		return block(col("events", proto.ColUInt64{n}), col("files", proto.ColUInt64{uint64(db.parts)}), col("bytes", proto.ColUInt64{100 * n}))
	}),
	ask(`SELECT min\(since\) AS since FROM made`, func(db *memory, _ []string) []proto.Input { return block(col("since", micros(db.made.UnixMicro()))) }),
}

var newDatabase = regexp.MustCompile("^CREATE DATABASE IF NOT EXISTS `(\\w+)`$")

// Run implements Engine.
func (e *Memory) Run(_ context.Context, q Query) ([]proto.Input, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	db, err := e.in(q)
	if err != nil {
		return nil, err
	}
	if m := newDatabase.FindStringSubmatch(q.Body); m != nil {
		if e.dbs[m[1]] == nil {
			e.dbs[m[1]] = &memory{tokens: map[string]bool{}}
		}
		return nil, nil
	}
	for _, known := range questions {
		if m := known.form.FindStringSubmatch(q.Body); m != nil {
			return known.answer(db, m), nil
		}
	}
	return nil, Wrong(proto.ErrSyntaxError, "the stand-in does not know: "+q.Body)
}

func number(s string) uint64 { n, _ := strconv.ParseUint(s, 10, 64); return n }

func (db *memory) placed([]string) []proto.Input {
	if len(db.places) == 0 {
		return nil
	}
	p := slices.MaxFunc(db.places, func(a, b map[string]any) int { return cmp.Compare(a["turn"].(uint64), b["turn"].(uint64)) })
	return block(col("turn", proto.ColUInt64{p["turn"].(uint64)}), col("append", proto.ColUInt64{p["append"].(uint64)}), col("stream", textsOf(p["stream"].(string))),
		col("sequence", proto.ColUInt64{p["sequence"].(uint64)}))
}

func (db *memory) latest(args []string) []proto.Input {
	var newest map[string]any
	n := uint64(0)
	for _, r := range db.events {
		a := r["append"].(uint64)
		if a < number(args[1]) || newest != nil && a < newest["append"].(uint64) {
			continue
		}
		if newest != nil && a == newest["append"].(uint64) {
			n++
			continue
		}
		newest, n = r, 1
	}
	if newest == nil {
		return nil
	}
	return block(col("append", proto.ColUInt64{newest["append"].(uint64)}), col("writer", proto.ColUInt64{newest["writer"].(uint64)}),
		col("stream", textsOf(newest["stream"].(string))), col("sequence", proto.ColUInt64{newest["sequence"].(uint64)}), col("n", proto.ColUInt64{n}))
}

// when are the events for which f is true of their time or moment of reception.
func (db *memory) when(column string, f func(micros int64) bool) (some []map[string]any) {
	for _, r := range db.events {
		if f(r[column].(int64)) {
			some = append(some, r)
		}
	}
	return some
}

func ids(rows []map[string]any) []proto.Input {
	var out proto.ColUUID
	for _, r := range rows {
		out = append(out, r["id"].(uuid.UUID))
	}
	return block(col("id", out))
}

func (db *memory) stored(args []string) []proto.Input {
	from, to := int64(number(args[1])), int64(number(args[2]))
	asked := map[string]bool{}
	for _, id := range strings.Split(args[3], ",") {
		asked[strings.Trim(id, "'")] = true
	}
	rows := db.when("time", func(at int64) bool { return at >= from && at <= to })
	return ids(slices.DeleteFunc(rows, func(r map[string]any) bool { return !asked[r["id"].(uuid.UUID).String()] }))
}

func (db *memory) received(args []string) []proto.Input {
	from := int64(number(args[1]))
	return ids(db.when("received", func(at int64) bool { return at >= from }))
}

func (db *memory) enough(args []string) []proto.Input {
	from := int64(number(args[1]))
	var all []int64
	for _, r := range db.when("received", func(at int64) bool { return at >= from }) {
		all = append(all, r["received"].(int64))
	}
	slices.Sort(all)
	cut := int64(0)
	if over := len(all) - int(number(args[2])); over > 0 {
		cut = all[over-1]
	}
	return block(col("received", micros(cut)))
}

func (db *memory) recent(args []string) []proto.Input {
	from := int64(number(args[1]))
	rows := db.when("time", func(at int64) bool { return at >= from })
	slices.SortStableFunc(rows, func(a, b map[string]any) int { return cmp.Compare(b["time"].(int64), a["time"].(int64)) })
	var id, order proto.ColUUID
	var shopper proto.ColUInt64
	var product, amount proto.ColInt64
	var quantity proto.ColInt32
	var at []int64
	text := map[string]*proto.ColStr{"kind": {}, "category": {}, "query": {}, "currency": {}}
	for _, r := range rows[:min(len(rows), int(number(args[2])))] {
		id, order, at = append(id, r["id"].(uuid.UUID)), append(order, r["order_id"].(uuid.UUID)), append(at, r["time"].(int64))
		shopper, product, amount = append(shopper, r["shopper"].(uint64)), append(product, r["product"].(int64)), append(amount, r["amount"].(int64))
		quantity = append(quantity, r["quantity"].(int32))
		for name, c := range text {
			s, _ := r[name].(string)
			c.Append(s)
		}
	}
	return block(col("id", id), col("time", micros(at...)), col("kind", text["kind"]), col("shopper", shopper), col("product", product), col("order_id", order),
		col("category", text["category"]), col("query", text["query"]), col("quantity", quantity), col("amount", amount), col("currency", text["currency"]))
}

func col(name string, c proto.ColInput) proto.InputColumn {
	return proto.InputColumn{Name: name, Data: c}
}

func block(columns ...proto.InputColumn) []proto.Input { return []proto.Input{columns} }

func textsOf(s string) *proto.ColStr {
	c := new(proto.ColStr)
	c.Append(s)
	return c
}

func micros(at ...int64) *proto.ColDateTime64 {
	c := new(proto.ColDateTime64).WithPrecision(proto.PrecisionMicro).WithLocation(time.UTC)
	for _, t := range at {
		c.AppendRaw(proto.DateTime64(t))
	}
	return c
}
