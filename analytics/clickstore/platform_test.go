package clickstore_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/analytics/clickstore/internal/chdbtest"
	"github.com/stampede-shop/stampede/analytics/clickstore/internal/chtest"
)

// stampede is a whole platform, run by the command, whose events go into ClickHouse's engine.
type stampede struct {
	binary, data string
	env          []string
	url          string
}

// run runs the command, and returns what it prints.
func (p *stampede) run(args ...string) (string, error) {
	cmd := exec.Command(p.binary, append(args, "--data", p.data)...)
	cmd.Env = append(os.Environ(), p.env...)
	var out, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("stampede %s: %w: %s%s", strings.Join(args, " "), err, out.String(), stderr.String())
	}
	return out.String(), nil
}

func startPlatform(t *testing.T, server *chtest.Server) *stampede {
	t.Helper()
	dir, err := os.MkdirTemp("", "stampede-clickhouse-")
	if err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		err = os.Chmod(dir, 0o755) // PostgreSQL's unprivileged user passes through
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &stampede{binary: filepath.Join(dir, "stampede"), data: filepath.Join(dir, "data"),
		env: []string{"STAMPEDE_ANALYTICS_STORE=clickhouse", "STAMPEDE_ANALYTICS_DSN=clickhouse://shop:secret@" + server.Addr() + "/stampede"}}
	if out, err := exec.Command("go", "build", "-o", p.binary, "../../cmd/stampede").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		if _, err := p.run("down"); err != nil {
			t.Error(err)
		}
	})
	if _, err := p.run("up", "--detach", "--port", "0", "--ops-port", "0", "--products", "100", "--apis", "1", "--shards", "2", "--replicas", "1"); err != nil {
		t.Fatal(err)
	}
	var st struct{ URL string }
	if err := p.json(t, &st, "status", "--json"); err != nil {
		t.Fatal(err)
	}
	p.url = st.URL
	return p
}

// json reads what a command prints, also one that ends with an error, as status does while a process is down.
func (p *stampede) json(t *testing.T, to any, args ...string) error {
	t.Helper()
	out, err := p.run(args...)
	if wrong := json.Unmarshal([]byte(out), to); wrong != nil {
		t.Fatal(err, wrong)
	}
	return err
}

// buy buys as a new shopper, and returns the order's id and total.
func (p *stampede) buy(t *testing.T, product int) (id string, total int64) {
	t.Helper()
	jar, _ := cookiejar.New(nil) // never fails without options
	client := &http.Client{Jar: jar, Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	call := func(path, body string, want int) []byte {
		t.Helper()
		resp, err := client.Post(p.url+path, "application/json", bytes.NewBufferString(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // read
		raw, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want {
			t.Fatalf("%s: %d %s %v", path, resp.StatusCode, raw, err)
		}
		return raw
	}
	call("/cart/add", fmt.Sprintf(`{"product_id":%d,"quantity":2}`, product), http.StatusOK)
	var o struct {
		ID    string `json:"id"`
		Total int64  `json:"total"`
	}
	if err := json.Unmarshal(call("/orders/checkout", "{}", http.StatusCreated), &o); err != nil {
		t.Fatal(err)
	}
	return o.ID, o.Total
}

// kill ends a process with signal 9; it is started again.
func (p *stampede) kill(t *testing.T, name string) {
	t.Helper()
	var st struct {
		Processes []struct {
			Name string
			PID  int
		}
	}
	_ = p.json(t, &st, "status", "--json") // another may be down still
	for _, x := range st.Processes {
		if x.Name == name && x.PID > 0 {
			if err := syscall.Kill(x.PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no process %s in %+v", name, st)
}

// A whole platform keeps its events in ClickHouse's engine: whoever dies meanwhile, and while the server is away, each order is there once, with its
// total, and the audit finds it so; an order that is taken out of the store is found missing.
func TestPlatform(t *testing.T) {
	engine := chdbtest.Open(t)
	server := chtest.Start(t, engine)
	p := startPlatform(t, server)
	bought := map[string]int64{}
	var first string
	nothing := func() {}
	for i, before := range []func(){
		nothing, func() { p.kill(t, "worker") }, nothing, server.Down, nothing, func() { server.Up(t) }, func() { p.kill(t, "analytics") }, nothing,
	} {
		before()
		id, total := p.buy(t, i+1)
		bought[id] = total
		if i == 0 {
			first = id
		}
	}
	p.awaitOrders(t, bought)
	if checked, _ := p.audit(t); checked != int64(len(bought)) {
		t.Errorf("the audit looked for %d orders of %d", checked, len(bought))
	}
	for _, report := range []string{"funnel", "revenue", "cohort", "basket"} {
		if out, err := p.run("analytics", "report", report); err != nil || out == "" {
			t.Errorf("report %s: %v", report, err)
		}
	}
	if _, err := engine.Run(t.Context(), chtest.Query{Query: proto.Query{Body: "ALTER TABLE event DELETE WHERE order_id = '" + first + "' SETTINGS mutations_sync = 1"}, Database: "stampede"}); err != nil {
		t.Fatal(err)
	}
	p.awaitMissing(t)
}

// awaitMissing waits until the audit finds that one order is missing from the store: for half a minute it might be on its way.
func (p *stampede) awaitMissing(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for deadline := time.After(2 * time.Minute); ; {
		_, broken := p.audit(t)
		if broken == 1 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("an order is missing from the store: %d rows break the audit's rule", broken)
		}
	}
}

// awaitOrders waits until the store has every order, each once and with its total.
func (p *stampede) awaitOrders(t *testing.T, bought map[string]int64) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(2 * time.Minute); ; {
		stored, err := p.orders()
		if err == nil && len(stored) == len(bought) {
			if diff := cmp.Diff(bought, stored); diff != "" {
				t.Fatal(diff)
			}
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d orders of %d are stored: %v", len(stored), len(bought), err)
		}
	}
}

// orders are the totals that the store has of each order; an order that is there twice has twice its total.
func (p *stampede) orders() (map[string]int64, error) {
	out, err := p.run("analytics", "query", "--json", "SELECT toString(order_id) AS id, toString(sum(amount)) AS total FROM events WHERE kind = 'order' GROUP BY order_id")
	var rows []struct {
		ID    string
		Total int64 `json:",string"`
	}
	if err == nil {
		err = json.Unmarshal([]byte(out), &rows)
	}
	stored := map[string]int64{}
	for _, r := range rows {
		stored[r.ID] = r.Total
	}
	return stored, err
}

// audit is how many orders the audit looked for in the event store, and how many rows break the rule of that; no other may be broken.
func (p *stampede) audit(t *testing.T) (checked int64, broken int) {
	t.Helper()
	var report struct {
		Rules []struct {
			Name    string
			Checked int64
			Broken  int
		}
	}
	failed := p.json(t, &report, "audit", "--json")
	for _, r := range report.Rules {
		if r.Name == "events-order" {
			checked, broken = r.Checked, r.Broken
		} else if r.Broken > 0 {
			t.Errorf("%+v", r)
		}
	}
	if (failed != nil) != (broken > 0) {
		t.Errorf("the audit ended with %v", failed)
	}
	return checked, broken
}
