package chdbtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/stampede-shop/stampede/analytics/clickstore/internal/chtest"
)

// Library names the environment variable with the library's file.
const Library = "STAMPEDE_LIBCHDB"

// Engine is a chtest.Engine on the library. A process has one: its statements run one after the other.
type Engine struct {
	mu  sync.Mutex
	lib *lib
}

var opened = sync.OnceValues(func() (*Engine, error) {
	dir, err := os.MkdirTemp("", "chdb") // stays until the process ends, as the library does
	if err != nil {
		return nil, err
	}
	folder = dir
	l, err := openLib(os.Getenv(Library), dir)
	return &Engine{lib: l}, err
})

var folder string

// Main is a testing.M that removes what the library has written.
type Main struct{ *testing.M }

// Run runs the tests.
func (m Main) Run() int {
	code := m.M.Run()
	if folder != "" {
		_ = os.RemoveAll(folder)
	}
	return code
}

// Open gives the process's engine, or skips the test.
func Open(t testing.TB) *Engine {
	t.Helper()
	if os.Getenv(Library) == "" {
		t.Skip(Library + " does not name the library of chdb: make test-clickhouse fetches it")
	}
	e, err := opened()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// in runs f in a database.
func (e *Engine) in(database string, f func() ([]byte, error)) ([]proto.Input, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.lib.run("USE `" + database + "`"); err != nil {
		return nil, exception(err)
	}
	out, err := f()
	if err != nil {
		return nil, exception(err)
	}
	return decode(out)
}

func (e *Engine) ask(database, query string) ([]proto.Input, error) {
	return e.in(database, func() ([]byte, error) { return e.lib.run(query) })
}

// decode reads blocks as files have them: of the oldest version of the protocol.
func decode(raw []byte) (blocks []proto.Input, err error) {
	for r := proto.NewReader(bytes.NewReader(raw)); ; {
		var b proto.Block
		var res proto.Results
		err := b.DecodeRawBlock(r, 0, res.Auto())
		if errors.Is(err, io.EOF) {
			return blocks, nil
		}
		if err != nil {
			return nil, fmt.Errorf("chdb: %w", err)
		}
		blocks = append(blocks, chtest.Input(res))
	}
}

var code = regexp.MustCompile(`Code: (\d+)`)

func exception(err error) error {
	if m := code.FindStringSubmatch(err.Error()); m != nil {
		n, _ := strconv.Atoi(m[1])
		return chtest.Wrong(proto.Error(n), err.Error())
	}
	return err
}

// settings writes a query's settings as SQL.
func settings(q chtest.Query) string {
	var list []string
	for _, s := range q.Settings {
		list = append(list, s.Key+" = '"+s.Value+"'")
	}
	if len(list) == 0 {
		return ""
	}
	return " SETTINGS " + strings.Join(list, ", ")
}

// Run implements chtest.Engine.
func (e *Engine) Run(_ context.Context, q chtest.Query) ([]proto.Input, error) {
	body := q.Body
	if strings.HasPrefix(body, "SELECT") || strings.HasPrefix(body, "EXPLAIN") || strings.HasPrefix(body, "DESCRIBE") {
		body += settings(q)
	}
	return e.ask(q.Database, body)
}

var into = regexp.MustCompile(`^INSERT INTO "(\w+)"`)

// Columns implements chtest.Engine.
func (e *Engine) Columns(q chtest.Query) (proto.Results, error) {
	m := into.FindStringSubmatch(q.Body)
	if m == nil {
		return nil, fmt.Errorf("not to be understood: %s", q.Body)
	}
	blocks, err := e.ask(q.Database, "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = '"+m[1]+"' ORDER BY position")
	if err != nil {
		return nil, err
	}
	var want proto.Results
	for _, b := range blocks {
		for i := range b[0].Data.Rows() {
			name, typ := b[0].Data.(*proto.ColStr).Row(i), b[1].Data.(*proto.ColStr).Row(i)
			col, err := chtest.Column(typ)
			if err != nil {
				return nil, err
			}
			want = append(want, proto.ResultColumn{Name: name, Data: col})
		}
	}
	return want, nil
}

// Insert implements chtest.Engine.
func (e *Engine) Insert(q chtest.Query, block proto.Results) error {
	var buf proto.Buffer
	b := proto.Block{Columns: len(block), Rows: block.Rows()}
	if err := b.EncodeRawBlock(&buf, 0, chtest.Input(block)); err != nil {
		return err
	}
	_, err := e.in(q.Database, func() ([]byte, error) {
		return nil, e.lib.insert(strings.TrimSuffix(q.Body, "VALUES")+settings(q), buf.Buf)
	})
	return err
}
