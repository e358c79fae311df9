package chaoslab

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/experiments"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/local"
)

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"/cart", "/cart", true}, {"/cart", "/cart/add", false}, {"/cart*", "/cart/add", true}, {"*", "", true}, {"/a*b*c", "/a/b/c", true},
		{"/a*b*c", "/a/c/b", false}, {"/products/*", "/products", false}, {"/a*a", "/a", false},
	} {
		if got := glob(c.pattern, c.text); got != c.want {
			t.Errorf("%s, %s: %v", c.pattern, c.text, got)
		}
	}
}

// Every experiment that ships asks for faults that there are, in words that they understand.
func TestShippedExperiments(t *testing.T) {
	t.Parallel()
	c := &Chaos{data: t.TempDir()}
	c.addFaults()
	faults := map[string]chaos.Info{}
	for _, f := range c.List(t.Context()) {
		faults[f.Name] = f
	}
	list, err := experiments.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		for need := range e.Needs {
			if _, ok := needs[need]; !ok && need != "chaos" {
				t.Errorf("%s: needs %s, which nobody knows", e.Name, need)
			}
		}
		for _, s := range e.Faults {
			f, ok := faults[s.Fault]
			if !ok {
				t.Errorf("%s: there is no fault %s", e.Name, s.Fault)
			}
			for name := range s.With {
				if !slices.ContainsFunc(f.Params, func(p chaos.Param) bool { return p.Name == name }) {
					t.Errorf("%s: %s has no %s", e.Name, s.Fault, name)
				}
			}
			if upOnly := f.Reason == errNeedsChaos.Error(); upOnly && e.Needs["chaos"] != "true" {
				t.Errorf("%s: %s needs --chaos, and the experiment does not say so", e.Name, s.Fault)
			}
		}
		var spec loadSpec
		if err := decodeStrictly(&e.Load, &spec); err != nil || spec.Duration == 0 {
			t.Errorf("%s: load: %+v, %v", e.Name, spec, err)
		}
		for _, s := range e.Faults {
			if s.At+s.For+3*time.Second > spec.Duration {
				t.Errorf("%s: too little time is left after %s", e.Name, s.Fault)
			}
		}
	}
}

func TestResolveRoles(t *testing.T) {
	t.Parallel()
	st := running.Status{Clusters: []local.ClusterStatus{{Cluster: 1, Primary: "replica-2", Standbys: []string{"primary", "replica-1"}}, {Cluster: 2, Primary: "primary2"}}}
	got, err := resolveRoles(st, map[string]string{"target": "@primary2", "link": "api:@primary,*:@replica", "share": "@primary"})
	want := map[string]string{"target": "primary2", "link": "api:replica-2,*:primary", "share": "@primary"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, role := range []string{"@replica2", "@primary3"} {
		if got, err := resolveRoles(st, map[string]string{"target": role}); !errors.Is(err, chaos.ErrUnavailable) {
			t.Errorf("%s: %v, %v", role, got, err)
		}
	}
}

// The kill switch works when the platform has died, too, with the process that had injected.
func TestStopAfterDeath(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	filled := filepath.Join(data, "chaos-fill-1")
	journal := fmt.Sprintf("{\"op\":\"owner\",\"owner\":{\"pid\":1,\"started\":\"never\"}}\n{\"op\":\"begin\",\"id\":\"a\",\"fault\":\"disk-fill\",\"state\":%q}\n", filled)
	for path, text := range map[string]string{
		filled: "x", filepath.Join(data, "run", "state.json"): `{"ops_url":"http://127.0.0.1:1"}`, filepath.Join(Dir(data), "chaos-1.journal"): journal,
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Open(t.Context(), data, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done, err := c.Stop(t.Context())
	if _, left := os.Stat(filled); err != nil || len(done) != 1 || left == nil {
		t.Errorf("%+v, %v; the file is there: %v", done, err, left == nil)
	}
	if _, err := Open(t.Context(), data, "http://127.0.0.1:1", nil); !errors.Is(err, running.ErrNotRunning) {
		t.Errorf("an address that was given, where nobody answers: %v", err)
	}
}
