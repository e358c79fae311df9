package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// l2 is what `stampede cache stats --json` says of Redis, as one process sees it.
type l2 struct {
	L2 struct {
		Up      bool `json:"up"`
		Pending int  `json:"pending"`
	} `json:"l2"`
	Families []struct {
		Name     string `json:"name"`
		BytesOut int64  `json:"l2_bytes_out"`
	} `json:"families"`
}

// stored is how many bytes each API process has put into Redis until now; an error unless all of them use it and owe it nothing.
func (p *platform) stored() (map[string]int64, error) {
	out, stderr, err := run(context.Background(), nil, "cache", "stats", "--json", "--data", p.data)
	var all map[string]l2
	if err == nil {
		err = json.Unmarshal([]byte(out), &all)
	}
	if err != nil {
		return nil, fmt.Errorf("cache stats: %w\n%s", err, stderr)
	}
	bytes := map[string]int64{}
	for name, s := range all {
		if !strings.HasPrefix(name, "api-") { // the edge has no use for Redis
			continue
		}
		if !s.L2.Up || s.L2.Pending > 0 {
			return nil, fmt.Errorf("%s: %+v", name, s.L2)
		}
		for _, f := range s.Families {
			bytes[name] += f.BytesOut
		}
	}
	if bytes["api-1"] == 0 && bytes["api-2"] == 0 {
		return nil, fmt.Errorf("nobody stores anything: %s", out)
	}
	return bytes, nil
}

// A Redis Cluster as the second tier: while shoppers are at it one master is killed and another hangs until its replica takes over.
// Hardly an answer is bad, edits are seen at once, and afterwards everybody uses it again.
func TestRedisClusterUnderLoad(t *testing.T) {
	p := own(t, "rediscluster", "--products", "2000", "--replicas", "1", "--redis-nodes", "6")
	item := p.newProduct(t, "E2E-REDIS", 100, 1000)
	var r loadReport
	var wg sync.WaitGroup
	wg.Go(func() { r = p.load(t, 10, 10*time.Second) })
	t.Cleanup(wg.Wait)
	eventually(t, time.Minute, "the cluster is in use", func() error { _, err := p.stored(); return err })
	killed, hung := p.pid(t, "redis-1"), p.pid(t, "redis-2")
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(hung, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(hung, syscall.SIGCONT) }()
	path := fmt.Sprintf("/products/%d", item.ID)
	for i := range 20 { // while it happens
		name := fmt.Sprint("Edit ", i)
		p.admin(t, http.StatusOK, "PATCH", path, map[string]any{"name": name})
		for range 4 { // whichever process answers
			var got struct {
				Name string `json:"name"`
			}
			if err := newShopper(p.URL).must(t, http.StatusOK, "GET", path, nil).into(&got); err != nil || got.Name != name {
				t.Fatalf("%q after the edit %q, %v", got.Name, name, err)
			}
		}
	}
	wg.Wait()
	if err := syscall.Kill(hung, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests, %d bad, %d orders", r.Summary.TotalRequests, r.bad(), r.Summary.Orders)
	r.hardlyBad(t)
	var before map[string]int64
	eventually(t, time.Minute, "everybody uses the cluster again", func() (err error) { before, err = p.stored(); return err })
	next := int64(1)
	eventually(t, time.Minute, "what is read goes there", func() error {
		next = next%2000 + 1
		newShopper(p.URL).must(t, http.StatusOK, "GET", fmt.Sprintf("/products/%d", next), nil)
		after, err := p.stored()
		if err == nil && (after["api-1"] == before["api-1"] || after["api-2"] == before["api-2"]) {
			err = fmt.Errorf("stored %v, before %v", after, before)
		}
		return err
	})
	p.healthy(t)
	p.audit(t)
}
