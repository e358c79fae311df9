package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// warmed is what an API process says of warming.
type warmed struct {
	State   string `json:"state"`
	Reason  string `json:"reason"`
	Total   int    `json:"total"`
	Through int    `json:"through"`
	Loaded  int    `json:"loaded"`
	Present int    `json:"present"`
	Gone    int    `json:"gone"`
	Failed  int    `json:"failed"`
	Known   int    `json:"known_keys"`
}

func (p *platform) warmed() (out map[string]warmed, err error) {
	a, err := newShopper(p.Ops).do("GET", "/admin/cache/warm", nil, "Authorization", "Bearer "+p.token)
	if err == nil {
		err = a.into(&out)
	}
	return out, err
}

// A campaign is warmed before it starts; the command warms what is asked for; a process that was killed is warm again before long, with
// what it knew.
func TestWarm(t *testing.T) {
	p := newPlatform("warm")
	p.env = []string{fmt.Sprintf(`STAMPEDE_WARM_CAMPAIGNS=[{"name":"sale","start":%q,"before":"24h","products":[1,2,3]}]`,
		time.Now().Add(time.Hour).UTC().Format(time.RFC3339))}
	t.Cleanup(func() {
		if err := p.down(); err != nil {
			t.Error(err)
		}
	})
	if err := p.up("--products", "300", "--replicas", "0", "--apis", "1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the campaign is warm", func() error {
		all, err := p.warmed()
		if w := all["api-1"]; err != nil || w.Reason != "campaign sale" || w.State != "done" || w.Total < 3 || w.Loaded+w.Present != w.Total {
			return fmt.Errorf("%+v %w", w, err)
		}
		return nil
	})
	shopper := newShopper(p.URL)
	for id := range 40 {
		shopper.must(t, http.StatusOK, "GET", fmt.Sprintf("/products/%d", id+1), nil)
	}
	out, stderr, err := run(t.Context(), nil, "cache", "warm", "--data", p.data, "--top", "60", "--json")
	var states map[string]warmed
	if err != nil || json.Unmarshal([]byte(out), &states) != nil {
		t.Fatalf("cache warm: %v\n%s\n%s", err, out, stderr)
	}
	if w := states["api-1"]; w.State != "done" || w.Total != 60 || w.Through != 60 || w.Failed != 0 || w.Known < 40 {
		t.Errorf("%+v", w)
	}

	if err := syscall.Kill(p.pid(t, "api-1"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "api-1 is warm again", func() error {
		st, err := p.status()
		if err != nil || !st.Healthy {
			return fmt.Errorf("%+v, %w", st.Processes, err)
		}
		all, err := p.warmed()
		w := all["api-1"]
		if err != nil || !strings.HasPrefix(w.Reason, "campaign") && w.Reason != "start" || w.State != "done" || w.Present == 0 {
			return fmt.Errorf("%+v %w", w, err)
		}
		return nil
	})
	shopper.must(t, http.StatusOK, "GET", "/products/1", nil)
	if _, stderr, err := run(context.Background(), nil, "cache", "warm", "--ops", p.Ops); err == nil || !strings.Contains(stderr, "401") {
		t.Errorf("without the token: %v %s", err, stderr)
	}
}
