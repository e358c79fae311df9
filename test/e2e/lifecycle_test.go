package e2e

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// Two platforms side by side; down leaves no process; a second up keeps the data; --fresh drops it.
func TestLifecycle(t *testing.T) {
	neighbour := shared.get(t)
	p := newPlatform("life")
	t.Cleanup(func() { _ = p.down() })
	if err := p.up("--products", "200", "--clusters", "2", "--replicas", "1"); err != nil {
		t.Fatal(err)
	}
	made := p.newProduct(t, "E2E-LIFE", 4200, 7)
	_, stderr, err := run(context.Background(), nil, "up", "--detach", "--data", p.data, "--port", "0", "--ops-port", "0")
	if err == nil || !strings.Contains(stderr, "in use") {
		t.Errorf("second up on the same data: %v %s", err, stderr)
	}
	p.healthy(t)
	st, err := p.status()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.down(); err != nil {
		t.Fatal(err)
	}
	for _, proc := range st.Processes {
		eventually(t, time.Minute, proc.Name+" has ended", func() error { return gone(proc.PID) })
	}
	newShopper(neighbour.URL).must(t, http.StatusOK, "GET", "/products?limit=1", nil)

	start := time.Now()
	if err := p.up("--clusters", "2", "--replicas", "1"); err != nil {
		t.Fatal(err)
	}
	t.Logf("second start: %v", time.Since(start).Round(time.Millisecond))
	if n := p.available(t, made.ID); n != 7 {
		t.Errorf("stock after a restart: %d", n)
	}
	if err := p.down(); err != nil {
		t.Fatal(err)
	}
	if err := p.up("--products", "50", "--fresh", "--replicas", "0"); err != nil {
		t.Fatal(err)
	}
	newShopper(p.URL).must(t, http.StatusNotFound, "GET", "/products/999999", nil)
	var list []product
	if err := newShopper(p.URL).must(t, http.StatusOK, "GET", "/products?limit=100", nil).into(&list); err != nil || len(list) != 50 {
		t.Errorf("after --fresh: %v, %d products", err, len(list))
	}
}

// --fresh never touches a folder that is not ours.
func TestFreshNeedsMarker(t *testing.T) {
	dir := t.TempDir()
	keep := dir + "/keep"
	if err := os.WriteFile(keep, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, err := run(context.Background(), nil, "up", "--detach", "--fresh", "--data", dir, "--port", "0", "--ops-port", "0")
	if err == nil {
		_, _, _ = run(context.Background(), nil, "down", "--data", dir)
		t.Fatal("up --fresh took a foreign folder")
	}
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("foreign file: %v; %s", err, stderr)
	}
}
