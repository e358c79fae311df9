package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/app/warming"
)

// warmOps is a platform that warms: each look finds it a step further.
type warmOps struct {
	mu      sync.Mutex
	refuse  int // status of a refusal
	steps   []warm.Progress
	calls   []string
	started chan struct{} // closed at the first look
}

func (o *warmOps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, r.Method)
	if r.Method == http.MethodPost && o.refuse != 0 {
		w.WriteHeader(o.refuse)
		_, _ = w.Write([]byte(`{"detail":"caches are being warmed already"}`))
		return
	}
	if r.Method == http.MethodGet && o.started != nil {
		close(o.started)
		o.started = nil
	}
	p := o.steps[0]
	if len(o.steps) > 1 {
		o.steps = o.steps[1:]
	}
	if r.Method == http.MethodDelete {
		p.State = warm.Cancelled
	}
	_ = json.NewEncoder(w).Encode(map[string]warming.Status{"api-1": {Progress: p, Effect: warm.Effect{Warmed: 10, Used: 4, Loads: 8, Avoided: 3}}})
}

func TestCacheWarm(t *testing.T) {
	t.Parallel()
	running := warm.Progress{State: warm.Running, Total: 20, Through: 5, Loaded: 4, Present: 1, Rate: 100, Left: 3}
	done := warm.Progress{State: warm.Done, Total: 20, Through: 20, Loaded: 15, Present: 5, Elapsed: 1.25}
	failed := done
	failed.State, failed.Error = warm.Failed, "others left no room"
	for name, c := range map[string]struct {
		ops  *warmOps
		args []string
		exit int
		out  string
		err  string
	}{
		"done":    {&warmOps{steps: []warm.Progress{running, running, done}}, nil, exitDone, "api-1    done   20     15      5", ""},
		"used":    {&warmOps{steps: []warm.Progress{done}}, nil, exitDone, "40 %         3 of 8", ""},
		"json":    {&warmOps{steps: []warm.Progress{done}}, []string{"--json"}, exitDone, `"loaded": 15`, ""},
		"failed":  {&warmOps{steps: []warm.Progress{running, failed}}, nil, exitFail, "api-1: others left no room", ""},
		"refused": {&warmOps{refuse: http.StatusConflict}, nil, exitFail, "", "caches are being warmed already"},
		"usage":   {&warmOps{}, []string{"--rate=-1"}, exitUsage, "", "must not be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.ops)
			t.Cleanup(server.Close)
			var out, errOut bytes.Buffer
			exit := run(append([]string{"cache", "warm", "--ops", server.URL}, c.args...), streams{&out, &errOut})
			if exit != c.exit || !strings.Contains(out.String(), c.out) || !strings.Contains(errOut.String(), c.err) {
				t.Errorf("exit %d\n%s\n%s", exit, &out, &errOut)
			}
		})
	}
}

// Whoever interrupts the command cancels the run.
func TestCacheWarmCancels(t *testing.T) {
	t.Parallel()
	looked := make(chan struct{})
	ops := &warmOps{steps: []warm.Progress{{State: warm.Running, Total: 10}}, started: looked}
	server := httptest.NewServer(ops)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { <-looked; cancel() }()
	var out, errOut bytes.Buffer
	err := cacheWarmCmd{platformFlags: platformFlags{Ops: server.URL}}.Run(ctx, streams{&out, &errOut})
	ops.mu.Lock()
	defer ops.mu.Unlock()
	if !errors.Is(err, errFails) || ops.calls[len(ops.calls)-1] != http.MethodDelete || !strings.Contains(out.String(), "cancelled") || !strings.Contains(errOut.String(), "goes on from here") {
		t.Errorf("%v, %q\n%s\n%s", err, ops.calls, &out, &errOut)
	}
}

// The bar is one line; elsewhere there is a line now and then.
func TestWarmBar(t *testing.T) {
	t.Parallel()
	states := warmStates{"api-1": {Progress: warm.Progress{State: warm.Running, Total: 100, Through: 50, Loaded: 40, Rate: 20, Left: 2.5}},
		"api-2": {Progress: warm.Progress{State: warm.Done, Total: 100, Through: 100}}}
	var out bytes.Buffer
	b := newWarmBar(&out)
	b.p.bar = true
	b.show(warmStates{"api-1": {Progress: warm.Progress{State: warm.Ranking}}})
	b.show(states)
	b.end()
	if want := "ranking" + eraseLine + "[##################------]  75 %  150 of 200, 40 loaded, 20/s allowed, 2 s to go" + eraseLine; out.String() != want {
		t.Errorf("%q, want\n%q", out.String(), want)
	}
	out.Reset()
	b.p.bar = false
	b.show(states)
	b.last = b.last.Add(-time.Minute)
	st := states["api-1"]
	st.State = warm.Paused
	states["api-1"] = st
	b.show(states)
	if want := " 75 %  150 of 200, 40 loaded, paused: shoppers need the room\n"; out.String() != want {
		t.Errorf("%q, want\n%q", out.String(), want)
	}
}
