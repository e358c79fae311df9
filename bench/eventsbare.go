package main

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/stampede-shop/stampede/analytics"
)

const bareTable = `CREATE TABLE event (id UUID, time TIMESTAMP, received TIMESTAMP, kind VARCHAR, shopper UBIGINT, product BIGINT, order_id UUID,
	category VARCHAR, query VARCHAR, quantity INTEGER, amount BIGINT, currency VARCHAR, source VARCHAR, attributes VARCHAR)`

// bareAppender appends the same columns as anybody would, row by row, to a file, and commits as often as we do.
func (r *eventsRig) bareAppender(ctx context.Context) (rate, cpuEach float64, err error) {
	connector, err := duckdb.NewConnector(filepath.Join(r.dir, "bare.duckdb"), nil)
	if err != nil {
		return 0, 0, err
	}
	db := sql.OpenDB(connector)
	defer db.Close() //nolint:errcheck // the folder goes too
	if _, err := db.ExecContext(ctx, bareTable); err != nil {
		return 0, 0, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close() //nolint:errcheck // likewise
	b := sampleBatch(rand.New(rand.NewPCG(1, 1)))
	renew(b)
	cpu := spentNow()
	rows, began := 0, time.Now()
	for time.Since(began) < eventsBare {
		if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
			return 0, 0, err
		}
		err := conn.Raw(func(c any) error { return bareAppend(c.(driver.Conn), b, 15) })
		if err == nil {
			_, err = conn.ExecContext(ctx, "COMMIT")
		}
		if err != nil {
			return 0, 0, err
		}
		rows += 15 * b.Len()
	}
	spent := spentNow().minus(cpu).here
	return float64(rows) / time.Since(began).Seconds(), float64(spent.Nanoseconds()) / 1000 / float64(rows), nil
}

func bareAppend(c driver.Conn, b *analytics.Batch, times int) error {
	app, err := duckdb.NewAppenderFromConn(c, "", "event")
	if err != nil {
		return err
	}
	received := time.UnixMicro(b.Received)
	for range times {
		for i := range b.Len() {
			var query any
			if b.Queries[i] != 0 {
				query = b.Dict[b.Queries[i]]
			}
			err := app.AppendRow(duckdb.UUID(b.IDs[i]), time.UnixMicro(b.Times[i]), received, analytics.Kind(b.Kinds[i]).String(), b.Shoppers[i], b.Products[i], nil,
				b.Dict[b.Categories[i]], query, b.Quantities[i], b.Amounts[i], b.Dict[b.Currencies[i]], b.Dict[b.Sources[i]], nil)
			if err != nil {
				return err
			}
		}
	}
	return app.Close()
}

// eventsHTTP is what came in as JSON.
type eventsHTTP struct{ rate, perCore float64 }

// overHTTP posts JSON arrays to POST /events of an API, and waits for 202: read, checked, batched, in the stream's file. Clients and the
// queue server are part of the processor time.
func (r *eventsRig) overHTTP(ctx context.Context) (out eventsHTTP, err error) {
	c := analytics.NewCollector(r.js, analytics.CollectorOptions{})
	defer c.Close(context.WithoutCancel(ctx))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /events", func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
		var events []analytics.Event
		if err == nil {
			events, err = analytics.ReadJSON(body, analytics.ReadOptions{})
		}
		if err == nil {
			err = c.Add(req.Context(), events)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	const each, clients, during = 500, 4, 8 * time.Second
	body := jsonEvents(each)
	var taken atomic.Int64
	cpu, began := spentNow(), time.Now()
	var all sync.WaitGroup
	errs := make(chan error, clients)
	for range clients {
		all.Go(func() {
			for time.Since(began) < during {
				resp, err := http.Post(s.URL+"/events", "application/json", bytes.NewReader(body)) //nolint:noctx // ends by itself
				if err != nil {
					errs <- err
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusAccepted {
					taken.Add(each)
				}
			}
		})
	}
	all.Wait()
	took, spent := time.Since(began), spentNow().minus(cpu).here
	select {
	case err := <-errs:
		return out, err
	default:
	}
	out = eventsHTTP{float64(taken.Load()) / took.Seconds(), float64(taken.Load()) / spent.Seconds()}
	fmt.Fprintf(os.Stderr, "HTTP: %.0f events/s, %.0f for each second of a core, clients and queue included\n", out.rate, out.perCore)
	return out, nil
}

// jsonEvents is an array of n events; without ids, so that it can be sent again.
func jsonEvents(n int) []byte {
	var list []map[string]any
	for i := range n {
		list = append(list, map[string]any{"time": time.Now().UTC().Format(time.RFC3339Nano), "kind": "view", "shopper": fmt.Sprintf("0197a3f0-7e1c-7c3e-8f10-%012d", i),
			"product": i, "category": fmt.Sprintf("home/category-%d", i%60), "amount": 1999, "currency": "EUR", "source": "web"})
	}
	raw, _ := json.Marshal(list)
	return raw
}
