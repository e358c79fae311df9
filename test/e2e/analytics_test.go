package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
)

// events runs a SELECT over the event store.
func (p *platform) events(sql string) (rows []map[string]any, err error) {
	out, stderr, err := run(context.Background(), nil, "analytics", "query", "--json", "--data", p.data, sql)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr)
	}
	return rows, json.Unmarshal([]byte(out), &rows)
}

// windows is what /admin/stats shows of the last hour.
type windows struct {
	Analytics struct {
		Windows struct {
			Hour struct {
				Events  map[string]int64 `json:"events"`
				Revenue map[string]int64 `json:"revenue"`
			} `json:"last_hour"`
		} `json:"windows"`
	} `json:"analytics"`
}

// What shoppers do is in the windows within a second, and in the store soon after; orders agree with the shards.
func TestEventsOfTheShop(t *testing.T) {
	p := own(t, "events", "--products", "100", "--apis", "1", "--shards", "2", "--replicas", "1")
	s := newShopper(p.URL)
	s.must(t, http.StatusOK, "GET", "/products/1", nil)
	s.must(t, http.StatusOK, "GET", "/products/1", nil) // a hit of the edge's cache counts, too
	s.must(t, http.StatusOK, "GET", "/products?q=lamp", nil)
	s.must(t, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": 1, "quantity": 2})
	var o struct {
		ID    string `json:"id"`
		Total int64  `json:"total"`
	}
	if err := s.must(t, http.StatusCreated, "POST", "/orders/checkout", nil).into(&o); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	s.must(t, http.StatusAccepted, "POST", "/events", []map[string]any{{"kind": "click", "product": 1}})
	want := map[string]int64{"view": 2, "search": 1, "add": 1, "checkout": 1, "order": 1, "purchase": 1, "click": 1}
	eventually(t, time.Minute, "the windows show it", func() error {
		var w windows
		if err := p.ops(t, http.StatusOK, "GET", "/admin/stats", nil).into(&w); err != nil {
			return err
		}
		for kind, n := range want {
			if w.Analytics.Windows.Hour.Events[kind] != n {
				return fmt.Errorf("%+v", w.Analytics.Windows.Hour)
			}
		}
		return nil
	})
	t.Logf("shown after %v", time.Since(sent).Round(time.Millisecond))
	eventually(t, time.Minute, "the order is stored", func() error { // windows are a little ahead of the store
		rows, err := p.events("SELECT order_id::VARCHAR AS id, amount FROM events WHERE kind = 'order'")
		if err != nil || len(rows) != 1 || rows[0]["id"] != o.ID || int64(rows[0]["amount"].(float64)) != o.Total {
			return fmt.Errorf("orders: %v, bought %+v, %w", rows, o, err)
		}
		return nil
	})
	s.must(t, http.StatusOK, "POST", "/orders/"+o.ID+"/cancel", nil)
	eventually(t, time.Minute, "the cancellation is stored", func() error {
		if rows, err := p.events("SELECT 1 FROM events WHERE kind = 'cancel'"); err != nil || len(rows) != 1 {
			return fmt.Errorf("%v %w", rows, err)
		}
		return nil
	})
	p.audit(t)
	p.analyticsCommands(t)
}

// analyticsCommands are those that ask the store.
func (p *platform) analyticsCommands(t *testing.T) {
	t.Helper()
	for _, name := range []string{"funnel", "revenue", "cohort", "basket"} {
		if out, stderr, err := run(t.Context(), nil, "analytics", "report", name, "--data", p.data); err != nil || out == "" {
			t.Errorf("report %s: %v %s", name, err, stderr)
		}
	}
	file := filepath.Join(t.TempDir(), "events.parquet")
	if _, stderr, err := run(t.Context(), nil, "analytics", "export", "--format", "parquet", "--out", file, "--data", p.data); err != nil {
		t.Errorf("export: %v %s", err, stderr)
	}
	if raw, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(raw), "PAR1") {
		t.Errorf("no Parquet file: %v", err)
	}
	if _, stderr, err := run(t.Context(), nil, "analytics", "query", "--data", p.data, "DELETE FROM event"); err == nil || !strings.Contains(stderr, "SELECT") {
		t.Errorf("a query deletes: %v %s", err, stderr)
	}
}

// kill -9 of queue, store, API and worker, again and again, while events and orders come: what was acknowledged is stored, once.
func TestEventsSurviveKills(t *testing.T) {
	p := own(t, "eventkills", "--products", "200", "--apis", "1", "--shards", "2", "--replicas", "1")
	b := startBuyers(t, p, 2)
	var acknowledged, refused atomic.Int64
	stop := make(chan struct{})
	var senders sync.WaitGroup
	end := sync.OnceFunc(func() { close(stop); senders.Wait() })
	t.Cleanup(end)
	for range 2 {
		senders.Go(func() { sendEvents(stop, p.URL, &acknowledged, &refused) })
	}
	for _, victim := range []string{"analytics", "nats", "worker", "api-1", "analytics", "nats"} {
		before, had := p.pid(t, victim), acknowledged.Load()
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Minute, victim+" is back, and events are taken again", func() error {
			if err := gone(before); err != nil {
				return err
			}
			if n := acknowledged.Load(); n < had+500 {
				return fmt.Errorf("%d events since", n-had)
			}
			return p.runs(victim, before)
		})
	}
	end()
	b.leave()
	t.Logf("%d events acknowledged, %d requests sent again, %d orders", acknowledged.Load(), refused.Load(), len(b.orders))
	eventually(t, 2*time.Minute, "every acknowledged event is stored", func() error {
		rows, err := p.events("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM events WHERE source = 'e2e'")
		if err != nil {
			return err
		}
		n, ids := int64(rows[0]["n"].(float64)), int64(rows[0]["ids"].(float64))
		if n != ids || n > acknowledged.Load() {
			t.Fatalf("%d events under %d ids of %d acknowledged", n, ids, acknowledged.Load())
		}
		if n < acknowledged.Load() {
			return fmt.Errorf("%d of %d", n, acknowledged.Load())
		}
		return nil
	})
	p.audit(t)
}

// sendEvents reports events in requests of 50, each until it is acknowledged, so that those whose answer was lost come twice.
func sendEvents(stop <-chan struct{}, base string, acknowledged, refused *atomic.Int64) {
	const each = 50
	s := newShopper(base)
	for {
		select {
		case <-stop:
			return
		default:
		}
		var list []map[string]any
		for range each {
			list = append(list, map[string]any{"id": uuid.Must(uuid.NewV7()).String(), "time": time.Now().UTC(), "kind": "view", "product": 1, "source": "e2e"})
		}
		for most := time.Now().Add(2 * time.Minute); ; {
			a, err := s.do("POST", "/events", list)
			if err == nil && a.Status == http.StatusAccepted {
				break
			}
			refused.Add(1)
			if time.Now().After(most) {
				return // the test sees that there are no more
			}
			time.Sleep(20 * time.Millisecond) // as a client that was told to wait
		}
		acknowledged.Add(each)
	}
}
