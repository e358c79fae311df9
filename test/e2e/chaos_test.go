package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Experiments in short form: what they find is in the long ones that ship, `stampede chaos run`.
const chaosHead = `
about: A short experiment of the end-to-end tests.
needs: {chaos: "true", apis: "2"}
load: {scenario: journey, users: 6, think: 20ms, duration: 6s, seed: 1}
warm: 500ms
steady: [success_rate >= 99.9%]
`

var chaosShort = map[string]string{
	"holds-redis-cut": `
faults:
  - {fault: link-cut, with: {link: "*:redis"}, at: 1s, for: 2s}
  - {fault: link-slow, with: {link: "api:@primary", latency: 5ms}, at: 1s, for: 2s}
expect: {whole: [success_rate >= 99.5%], after: [success_rate >= 99.5%]}
`,
	"holds-api-death": `
faults:
  - {fault: process-kill, with: {target: api-1}, at: 1s, for: 2s}
expect: {whole: [success_rate >= 99%]}
`,
	"fails-carts": `
faults:
  - {fault: route-error, with: {path: "/cart*"}, at: 500ms, for: 4s}
expect: {during: ["success_rate(browse) >= 99%", success_rate >= 99.9%]}
`,
}

// chaosReport is what the tests read of `stampede chaos run --json`.
type chaosReport struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"`
	Checks  []struct {
		Phase string `json:"phase"`
		Text  string `json:"text"`
		Got   string `json:"got"`
		Holds bool   `json:"holds"`
	} `json:"checks"`
}

// Experiments tell what holds from what does not; whoever kills the process that injects leaves nothing that the kill switch
// does not undo.
func TestChaos(t *testing.T) {
	flags := []string{"--products", "300", "--apis", "2", "--shards", "2", "--replicas", "1", "--chaos"}
	p := newPlatform("chaos")
	p.env = mayAct
	p.own(t, flags...)
	t.Run("Experiments", func(t *testing.T) {
		for name, text := range chaosShort {
			p.experiment(t, name, text)
		}
	})
	t.Run("KillSwitch", func(t *testing.T) { killSwitch(t, p) })
	t.Run("Calls", func(t *testing.T) { chaosCalls(t, p) })
	t.Run("Advice", func(t *testing.T) { replicaIsNamed(t, p) })
	t.Run("Acting", func(t *testing.T) { adviceIsActedOn(t, p) })
	t.Run("Restart", func(t *testing.T) { restartMends(t, p, flags) })
	p.audit(t)
}

func (p *platform) experiment(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".yaml")
	if err := os.WriteFile(file, []byte("name: "+name+chaosHead+text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, stderr, err := run(t.Context(), nil, "chaos", "run", "--json", "--data", p.data, file)
	var reports []chaosReport
	if jsonErr := json.Unmarshal([]byte(out), &reports); jsonErr != nil || len(reports) != 1 {
		t.Fatalf("%s: %v, %v\n%s\n%s", name, err, jsonErr, out, stderr)
	}
	r := reports[0]
	var exit *exec.ExitError
	wantFail := strings.HasPrefix(name, "fails")
	switch {
	case wantFail && (r.Verdict != "failed" || !errors.As(err, &exit) || exit.ExitCode() != 1):
		t.Errorf("%s: it was to fail, and has %s: %v\n%+v", name, r.Verdict, err, r.Checks)
	case !wantFail && (r.Verdict != "passed" || err != nil):
		t.Errorf("%s: it was to pass, and has %s: %v\n%+v", name, r.Verdict, err, r.Checks)
	}
	for _, c := range r.Checks {
		if wantFail && !c.Holds && c.Text != "success_rate >= 99.9%" {
			t.Errorf("%s: this should hold: %+v", name, c)
		}
	}
	if _, err := os.Stat(filepath.Join(p.data, "chaos", "reports", name, "report.html")); err != nil {
		t.Error(err)
	}
}

// killSwitch kills, by kill -9, a process that has halted the worker, and pulls the switch.
func killSwitch(t *testing.T, p *platform) {
	victim := p.pid(t, "worker")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// A fault that only the command itself has: what it leaves is in its journal.
	cmd := exec.CommandContext(ctx, binary, "chaos", "inject", "command", "do=kill -STOP "+fmt.Sprint(victim), "undo=kill -CONT "+fmt.Sprint(victim), "--data", p.data)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the worker is halted", func() error { return halted(victim) })
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := halted(victim); err != nil {
		t.Error("the fault went with the process that injected it, so that nothing is shown here:", err)
	}
	if out, stderr, err := run(t.Context(), nil, "chaos", "stop", "--data", p.data); err != nil || !strings.Contains(out, "undone") {
		t.Errorf("stop: %v\n%s\n%s", err, out, stderr)
	}
	if err := halted(victim); err == nil {
		t.Error("the worker is still halted")
	}
}

// halted tells whether a process is stopped by a signal.
func halted(pid int) error {
	out, err := exec.Command("ps", "-o", "stat=", "-p", fmt.Sprint(pid)).Output()
	if err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "T") {
		err = fmt.Errorf("process %d is in state %s", pid, out)
	}
	return err
}

// chaosCalls injects by the operations API; what is injected is visible, and goes when it is told to.
func chaosCalls(t *testing.T, p *platform) {
	s, admin := newShopper(p.Ops), []string{"Authorization", "Bearer " + p.token}
	s.must(t, http.StatusCreated, "POST", "/admin/chaos/process-pause", map[string]any{"params": map[string]string{"target": "worker"}, "for": "1m"}, admin...)
	if err := halted(p.pid(t, "worker")); err != nil {
		t.Error("not halted:", err)
	}
	s.must(t, http.StatusConflict, "POST", "/admin/chaos/process-kill", map[string]any{"params": map[string]string{"target": "worker"}}, admin...)
	s.must(t, http.StatusNotFound, "POST", "/admin/chaos/nonsense", nil, admin...)
	s.must(t, http.StatusOK, "DELETE", "/admin/chaos", nil, admin...)
	if err := halted(p.pid(t, "worker")); err == nil {
		t.Error("still halted")
	}
}

// restartMends kills the whole platform while the disks of its shards are "full". The next start finds that in the journal.
func restartMends(t *testing.T, p *platform, flags []string) {
	ops, admin := newShopper(p.Ops), []string{"Authorization", "Bearer " + p.token}
	for _, shard := range []string{"shard1", "shard2"} {
		ops.must(t, http.StatusCreated, "POST", "/admin/chaos/database-full", map[string]any{"params": map[string]string{"database": shard}}, admin...)
	}
	cart := map[string]any{"product_id": 1, "quantity": 1}
	newShopper(p.URL).must(t, http.StatusServiceUnavailable, "POST", "/cart/add", cart)
	p.killAll(t)
	if err := p.up(flags...); err != nil {
		t.Fatal(err)
	}
	newShopper(p.URL).must(t, http.StatusOK, "POST", "/cart/add", cart)
}

// The long form: every experiment that ships, and then random faults for as long as is asked for. Off unless STAMPEDE_SOAK is set.
func TestExperimentsThatShip(t *testing.T) {
	if os.Getenv("STAMPEDE_SOAK") == "" {
		t.Skip("half an hour: set STAMPEDE_SOAK")
	}
	p := own(t, "experiments", "--chaos", "--apis", "2", "--clusters", "2", "--replicas", "1", "--products", "2000")
	out, stderr, err := run(t.Context(), nil, "chaos", "list", "--json", "--data", p.data)
	var list struct {
		Experiments []struct{ Name string } `json:"experiments"`
	}
	if err := errors.Join(err, json.Unmarshal([]byte(out), &list)); err != nil || len(list.Experiments) < 15 {
		t.Fatalf("%v\n%s\n%s", err, out, stderr)
	}
	for _, e := range list.Experiments {
		t.Run(e.Name, func(t *testing.T) { p.long(t, 10*time.Minute, "chaos", "run", e.Name) })
	}
	length, err := time.ParseDuration(cmp.Or(os.Getenv("STAMPEDE_SOAK_FOR"), "5m"))
	if err != nil {
		t.Fatal(err)
	}
	p.long(t, 3*length+10*time.Minute, "chaos", "campaign", "--for", length.String())
}

// long runs a command that takes its time; its seed, if it chose one, is in what it prints.
func (p *platform) long(t *testing.T, limit time.Duration, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if out, err := exec.CommandContext(ctx, binary, append(args, "--data", p.data)...).CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", args, err, out)
	}
}
