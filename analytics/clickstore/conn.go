package clickstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/stampede-shop/stampede/analytics"
)

// errClosed is what a store that was closed answers.
var errClosed = errors.New("clickstore: closed")

// dial connects to a database of the server.
func (s *Store) dial(ctx context.Context, database string, c ch.Compression) (*ch.Client, error) {
	client, err := ch.Dial(ctx, ch.Options{Address: s.o.Address, Database: database, User: s.o.User, Password: s.o.Password, TLS: s.o.TLS,
		Compression: c, ClientName: "stampede", DialTimeout: dialTimeout, HandshakeTimeout: greeting, ReadTimeout: greeting})
	if err != nil {
		return nil, fmt.Errorf("clickstore: connect to %s: %w", s.o.Address, err)
	}
	return client, nil
}

// do runs a query, and closes the connection when ctx ends first: the client itself waits for the end of a block that it has begun to read.
// After an error the connection is closed in any case, as nobody knows what is still to come over it.
func do(ctx context.Context, client *ch.Client, q ch.Query) error {
	if q.QueryID == "" {
		q.QueryID = "stampede-" + analytics.NewID().String()
	}
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	err := client.Do(ctx, q)
	if err == nil {
		return nil
	}
	_ = client.Close()
	if ctx.Err() != nil {
		return fmt.Errorf("clickstore: no answer in time: %w", ctx.Err())
	}
	return fmt.Errorf("clickstore: %w", err)
}

// reading runs f with a connection of its own: questions are few, and a connection that lay idle may be dead.
func (s *Store) reading(ctx context.Context, f func(client *ch.Client) error) error {
	select {
	case s.readers <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.readers }()
	if s.closed.Load() {
		return errClosed
	}
	client, err := s.dial(ctx, s.o.Database, ch.CompressionLZ4)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // it may be closed already
	return f(client)
}

// read runs a question of the store's own. What it yields goes into result, a block at a time, and after each block f is called.
func (s *Store) read(ctx context.Context, sql string, result proto.Results, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.ReadTimeout)
	defer cancel()
	return s.reading(ctx, func(client *ch.Client) error { return s.ask(ctx, client, sql, result, f) })
}

// ask is read over a connection that is there.
func (s *Store) ask(ctx context.Context, client *ch.Client, sql string, result proto.Results, f func() error) error {
	return do(ctx, client, ch.Query{Body: sql, Result: result, Settings: s.bounds(ctx),
		OnResult: func(_ context.Context, b proto.Block) error {
			if b.Rows == 0 {
				return nil
			}
			return f()
		}})
}

// bounds are the settings under which anything is read: what the server is to stop at itself.
func (s *Store) bounds(ctx context.Context) []ch.Setting {
	return []ch.Setting{setting("readonly", 1), setting("max_execution_time", seconds(ctx)), setting("max_memory_usage", int64(s.o.MemoryMiB)<<20),
		setting("max_query_size", 16<<20), setting("max_ast_elements", 1<<20), // of long lists of ids
		setting("cast_keep_nullable", 1)} // NULL stays NULL, as everywhere else
}

// seconds are what is left of ctx, rounded up: the server ends no sooner than we do.
func seconds(ctx context.Context) int64 {
	until, ok := ctx.Deadline()
	if !ok {
		return 0 // no bound
	}
	return max(1, int64((time.Until(until)+time.Second-1)/time.Second))
}

// setting is one that the server has to know.
func setting(key string, value int64) ch.Setting {
	return ch.Setting{Key: key, Value: strconv.FormatInt(value, 10), Important: true}
}

// exec runs a statement that yields nothing.
func exec(ctx context.Context, client *ch.Client, sql string, settings ...ch.Setting) error {
	return do(ctx, client, ch.Query{Body: sql, Settings: settings})
}
