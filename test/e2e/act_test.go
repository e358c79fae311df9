package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What acting may do in these tests: the edge's bound on requests under way goes from 1000 down to this, and no farther.
const (
	admissionUsual = 1000
	admissionLeast = 600
	fullMachine    = "cpu/machine"
)

var mayAct = []string{"STAMPEDE_ADVICE_ACT_ENABLED=true", fmt.Sprint("STAMPEDE_ADVICE_ACT_ADMISSION_MIN=", admissionLeast), "STAMPEDE_ADVICE_ACT_COOLDOWN=1s"}

// adviceAct is what /admin/advice tells of acting.
type adviceAct struct {
	Time   time.Time `json:"time"`
	Advice []struct {
		Resource string `json:"resource"`
		Full     bool   `json:"full"`
	} `json:"advice"`
	Sample struct {
		Use map[string]float64 `json:"use"`
	} `json:"sample"`
	Acting *struct {
		On       bool `json:"on"`
		Settings []struct {
			Name string  `json:"name"`
			Now  float64 `json:"now"`
		} `json:"settings"`
		Turns []struct {
			Setting  string   `json:"setting"`
			From     float64  `json:"from"`
			To       float64  `json:"to"`
			Undo     bool     `json:"undo"`
			Resource string   `json:"resource"`
			Evidence []string `json:"evidence"`
			Error    string   `json:"error"`
		} `json:"turns"`
	} `json:"acting"`
}

func (p *platform) adviceAct() (st adviceAct, err error) {
	a, err := newShopper(p.Ops).do("GET", "/admin/advice", nil, "Authorization", "Bearer "+p.token)
	if err == nil {
		err = a.into(&st)
	}
	return st, err
}

// named tells whether advice names the resource as full now.
func (st adviceAct) named(resource string) bool {
	for _, a := range st.Advice {
		if a.Resource == resource && a.Full {
			return true
		}
	}
	return false
}

// admissionBound is what the edge itself says: its bound on requests under way.
func (p *platform) admissionBound(t *testing.T) float64 {
	t.Helper()
	var all struct {
		Edge struct {
			Governor struct {
				Knobs map[string]struct{ Now, High float64 } `json:"knobs"`
			} `json:"governor"`
		} `json:"edge"`
	}
	if err := p.ops(t, http.StatusOK, "GET", "/admin/stats", nil).into(&all); err != nil {
		t.Fatal(err)
	}
	return all.Edge.Governor.Knobs["admission_max"].Now
}

// admits waits until the edge admits so many at once.
func (p *platform) admits(t *testing.T, want float64) {
	t.Helper()
	eventually(t, time.Minute, fmt.Sprint("the edge admits ", want), func() error {
		if got := p.admissionBound(t); got != want {
			return fmt.Errorf("it admits %v", got)
		}
		return nil
	})
}

// adviceIsActedOn keeps all processors busy, at the lowest priority: the platform that may act admits fewer, step by step and not below its
// limit, at the edge and in its log; switched off, it takes that back and does nothing while the cause goes on. Another platform, which was not allowed
// to, does nothing all the while.
func adviceIsActedOn(t *testing.T, p *platform) {
	if held() {
		t.Skip("these processes may not fill the machine: they have a quota of its processors")
	}
	other := shared.get(t)
	fill(t)
	eventually(t, time.Minute, "advice is acted on", func() error {
		st, err := p.adviceAct()
		if err != nil {
			return err
		}
		if st.Acting == nil || !st.Acting.On || len(st.Acting.Settings) != 1 || st.Acting.Settings[0].Now != admissionLeast {
			return fmt.Errorf("the machine is %.0f %% busy: %+v", 100*st.Sample.Use[fullMachine], st.Acting)
		}
		return nil
	})
	p.admits(t, admissionLeast)
	st, err := p.adviceAct()
	if err != nil {
		t.Fatal(err)
	}
	at := float64(admissionUsual)
	for _, turn := range st.Acting.Turns {
		if turn.Setting != "admission_max" || turn.From != at || turn.To < max(admissionLeast, at/1.5-1) || turn.To > admissionUsual || turn.Resource == "" || turn.Error != "" {
			t.Errorf("%+v, from %v", turn, at)
		}
		if !turn.Undo && len(turn.Evidence) == 0 {
			t.Errorf("without evidence: %+v", turn)
		}
		at = turn.To
	}
	eventually(t, time.Minute, "the log has all turns", func() error { // another one may come in between
		log, err := os.ReadFile(filepath.Join(p.data, "log", "up.log"))
		if err == nil {
			st, err = p.adviceAct()
		}
		if n := strings.Count(string(log), "acted on advice"); err == nil && n != len(st.Acting.Turns) {
			err = fmt.Errorf("%d turns in the log, %d shown", n, len(st.Acting.Turns))
		}
		return err
	})
	out, stderr, err := run(t.Context(), nil, "predict", "act", "off", "--data", p.data)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, stderr)
	}
	p.admits(t, admissionUsual)
	p.actsNot(t, false)
	other.actsNot(t, true)
}

// held tells whether these processes have a quota of the processors, so that they cannot fill the machine.
func held() bool {
	two, _ := os.ReadFile("/sys/fs/cgroup/cpu.max")
	one, _ := os.ReadFile("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
	return len(two) > 0 && !strings.HasPrefix(string(two), "max") || len(one) > 0 && !strings.HasPrefix(string(one), "-1")
}

// actsNot watches the platform while the machine is full: nothing is turned. Whoever was never allowed to has no account of it.
func (p *platform) actsNot(t *testing.T, never bool) {
	t.Helper()
	before, err := p.adviceAct()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[time.Time]bool{} // when advice named the machine: oftener than an actor waits for
	eventually(t, time.Minute, "advice names the machine", func() error {
		st, err := p.adviceAct()
		if err != nil {
			return err
		}
		if st.named(fullMachine) {
			seen[st.Time] = true
		}
		if len(seen) < 5 {
			return fmt.Errorf("named %d times; %v", len(seen), st.Sample.Use[fullMachine])
		}
		return nil
	})
	st, err := p.adviceAct()
	if err != nil {
		t.Fatal(err)
	}
	if never && st.Acting != nil || !never && (st.Acting == nil || st.Acting.On || len(st.Acting.Turns) != len(before.Acting.Turns)) {
		t.Errorf("%+v, before %+v", st.Acting, before.Acting)
	}
	if got := p.admissionBound(t); got != admissionUsual {
		t.Errorf("the edge admits %v", got)
	}
}

// fill keeps all processors busy until the test ends, with processes that give way to all others, and end by themselves should nobody end them.
func fill(t *testing.T) {
	t.Helper()
	const spin = `end=$(($(date +%s)+600)); while [ "$(date +%s)" -lt "$end" ]; do i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; done`
	for range runtime.NumCPU() {
		cmd := exec.Command("nice", "-n", "19", "sh", "-c", spin)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
}
