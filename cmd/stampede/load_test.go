package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stampede-shop/stampede/loadsim"
)

// listShop answers everything with a list of one product; every wrong-th answer is a 500.
func listShop(t *testing.T, wrong int64) string {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wrong > 0 && !strings.Contains(r.URL.RawQuery, "limit=100") && n.Add(1)%wrong == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write([]byte(`[{"id":1,"name":"x","price":1}]`))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// load runs the command with a scenario that only looks at lists.
func load(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lists.yaml")
	if err := os.WriteFile(file, []byte("name: lists\nthink: 1ms-2ms\nshoppers: [{steps: [browse: 1]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var o, e bytes.Buffer
	code = run(append([]string{"load", "--scenario", file}, args...), streams{&o, &e})
	return code, o.String(), e.String()
}

// Exit codes: 1 when a request was answered badly, or a condition holds; conditions replace the first.
func TestLoadVerdicts(t *testing.T) {
	t.Parallel()
	good, bad := listShop(t, 0), listShop(t, 5)
	for _, c := range []struct {
		name, target string
		args         []string
		code         int
		says         string
	}{
		{"good", good, nil, exitDone, ""},
		{"bad", bad, nil, exitFail, ""},
		{"too many errors", bad, []string{"--fail-if", "error_rate>5%"}, exitFail, "FAILED: error_rate>5%: it is"},
		{"nothing of the kind", good, []string{"--fail-if", "p95(checkout)>1s"}, exitFail, "FAILED: p95(checkout)>1s: nothing of the kind"},
		{"two conditions", good, []string{"--fail-if", "errors>0", "--fail-if", "throughput<1e9"}, exitFail, "FAILED: throughput<1e9"},
	} {
		code, out, errOut := load(t, append(c.args, "--target", c.target, "--users", "2", "--duration", "300ms")...)
		if code != c.code || !strings.Contains(errOut, c.says) || !strings.Contains(out, "scenario lists, 2 users") {
			t.Errorf("%s: exit %d, want %d\n%s%s", c.name, code, c.code, out, errOut)
		}
	}
	// a condition that does not hold lets errors pass, unless the machine is so busy that the figures mean nothing
	code, _, errOut := load(t, "--target", bad, "--users", "2", "--duration", "300ms", "--fail-if", "error_rate>50%")
	if strings.Contains(errOut, "FAILED") || code != exitDone && !strings.Contains(errOut, "NOT VALID") {
		t.Errorf("exit %d: %s", code, errOut)
	}
}

// What --out and --json give can be read again, and compared.
func TestLoadFilesAndCompare(t *testing.T) {
	t.Parallel()
	shop := listShop(t, 0)
	dir := t.TempDir()
	a := filepath.Join(dir, "a")
	code, out, errOut := load(t, "--target", shop, "--rate", "100", "--duration", "1s", "--out", a, "--json")
	var r loadsim.Report
	if err := json.Unmarshal([]byte(out), &r); code != exitDone || err != nil || r.Summary.Rate != 100 || r.Summary.TotalRequests == 0 {
		t.Fatalf("exit %d, %v: %s", code, err, errOut)
	}
	for _, name := range []string{"report.json", "report.txt", "report.html", "throughput.png", "latency.png", "errors.png", "distribution.png", "percentiles.png", "heatmap.png", "steps.png"} {
		if info, err := os.Stat(filepath.Join(a, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	var o, e bytes.Buffer
	if code := run([]string{"load", "compare", a, a}, streams{&o, &e}); code != exitFail || !strings.Contains(e.String(), "too short to compare") {
		t.Errorf("one second: exit %d: %s", code, e.String())
	}
	for name, factor := range map[string]float64{"x": 1, "y": 3} {
		writeLonger(t, filepath.Join(dir, name+".json"), r, factor)
	}
	x, y := filepath.Join(dir, "x.json"), filepath.Join(dir, "y.json")
	o.Reset()
	if code := run([]string{"load", "compare", x, y, "--fail-if-worse"}, streams{&o, &e}); code != exitFail || !strings.Contains(o.String(), "worse") {
		t.Errorf("exit %d: %s", code, o.String())
	}
	if code := run([]string{"load", "compare", x, x, "--fail-if-worse", "--json"}, streams{&o, &e}); code != exitDone {
		t.Errorf("exit %d: %s", code, o.String())
	}
}

// writeLonger makes twelve seconds of one second, with so many times the errors.
func writeLonger(t *testing.T, path string, r loadsim.Report, factor float64) {
	t.Helper()
	p := r.Series[0]
	r.Series = nil
	for i := range 12 {
		step := p.Steps["browse"]
		step.Errors = int64(factor * float64(1+i%2))
		q := p
		q.Start, q.Steps, q.Errors = float64(i)*p.Seconds, map[string]loadsim.StepPoint{"browse": step}, step.Errors
		r.Series = append(r.Series, q)
		r.Summary.Failed += step.Errors
	}
	r.Summary.TotalRequests = 12 * p.Requests
	data, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(fmt.Errorf("write %s: %w", path, err))
	}
}
