package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// proof is what the test reads of a report of `stampede prove`.
type proof struct {
	Verdicts []struct {
		Number   int    `json:"number"`
		Outcome  string `json:"outcome"`
		Measured string `json:"measured"`
		How      string `json:"how"`
	} `json:"verdicts"`
	Untidy  bool   `json:"untidy"`
	PutBack string `json:"put_back"`
	Books   struct {
		Acknowledged int64 `json:"acknowledged"`
		Found        int64 `json:"found"`
	} `json:"books"`
	Faults []struct {
		Name  string `json:"name"`
		Error string `json:"error"`
	} `json:"faults"`
	Costs *struct {
		View map[string]float64 `json:"cpu_s_per_view"`
	} `json:"costs"`
}

// The proof runs against a real platform, in a hurry. What depends on how fast this machine is at the moment proves nothing here;
// what must hold on any is that orders are right, that what was killed comes back, and that everything is put back.
func TestProve(t *testing.T) {
	p := own(t, "prove", "--products", "1000")
	dir := filepath.Join(t.TempDir(), "report")
	out, stderr, err := run(t.Context(), nil, "prove", "--quick", "--pace", "0.25", "--allow-skip", "--data", p.data, "--out", dir)
	if out == "" {
		t.Fatalf("prove: %v\n%s", err, stderr)
	}
	t.Log(out)
	raw, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r proof
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Verdicts) != 8 || r.Untidy || r.Costs == nil || r.Costs.View["edge"] <= 0 {
		t.Errorf("%+v", r)
	}
	for i, v := range r.Verdicts {
		if v.Number != i+1 || v.Measured == "could not be measured" || v.Outcome == "skipped" && v.Number != 3 {
			t.Errorf("%+v", v)
		}
	}
	if v := r.Verdicts[7]; v.Outcome != "holds" {
		t.Errorf("%+v", v)
	}
	if r.Books.Acknowledged == 0 || r.Books.Found != r.Books.Acknowledged {
		t.Errorf("%+v", r.Books)
	}
	if len(r.Faults) != 6 {
		t.Errorf("%+v", r.Faults)
	}
	for _, f := range r.Faults {
		if f.Error != "" {
			t.Errorf("%+v", f)
		}
	}
	if a := newShopper(p.URL).must(t, http.StatusOK, "GET", "/products?category=Proving%20ground", nil); strings.TrimSpace(string(a.Body)) != "[]" {
		t.Errorf("%s is left: %s", a.Body, r.PutBack)
	}
	p.audit(t)
	plan, stderr, err := run(t.Context(), nil, "plan", "--data", p.data, "--from", dir, "--orders", "1000", "--regions", "2")
	if err != nil || !strings.Contains(plan, "shard primaries") || !strings.Contains(plan, "a month:") {
		t.Errorf("plan: %v\n%s\n%s", err, plan, stderr)
	}
}
