package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// replicaIsNamed halts the replay of the replica while shoppers buy: alert and advice name it, and no longer when it goes on.
func replicaIsNamed(t *testing.T, p *platform) {
	s, admin := newShopper(p.Ops), []string{"Authorization", "Bearer " + p.token}
	ctx, enough := context.WithCancel(t.Context())
	var buying sync.WaitGroup
	buying.Go(func() {
		for ctx.Err() == nil { // how good the answers are is not the question here
			_, _, _ = run(ctx, nil, "load", "--data", p.data, "--users", "4", "--think", "50ms", "--duration", "30s")
		}
	})
	defer buying.Wait()
	defer enough()
	s.must(t, http.StatusCreated, "POST", "/admin/chaos/replica-pause", map[string]any{"params": map[string]string{"target": "@replica"}, "for": "5m"}, admin...)
	defer func() { _, _ = s.do("DELETE", "/admin/chaos", nil, admin...) }()
	eventually(t, time.Minute, "advice names the replica", func() error { return named(s, admin, true) })
	eventually(t, 2*time.Minute, "the alert fires", func() error {
		a, err := s.do("GET", "/admin/alerts", nil, admin...)
		if err == nil && !lagAlert(a.Body) {
			err = errors.New(string(a.Body))
		}
		return err
	})
	enough()
	s.must(t, http.StatusOK, "DELETE", "/admin/chaos", nil, admin...)
	eventually(t, time.Minute, "advice is silent about the replica", func() error { return named(s, admin, false) })
}

// lagAlert tells whether the alert about replicas fires and names the one.
func lagAlert(body []byte) bool {
	var got struct {
		Alerts []struct {
			Name, State string
			Causes      []struct{ Component, Fault string }
		} `json:"alerts"`
	}
	if json.Unmarshal(body, &got) != nil {
		return false
	}
	for _, a := range got.Alerts {
		for _, c := range a.Causes {
			if a.Name == "replica-lag" && a.State == "firing" && c.Component == "replica-1" && c.Fault == "lag" {
				return true
			}
		}
	}
	return false
}

// named tells whether advice says that replica-1 is behind, as it is to.
func named(s *shopper, admin []string, want bool) error {
	a, err := s.do("GET", "/admin/advice", nil, admin...)
	if err != nil {
		return err
	}
	var st struct {
		Advice []struct {
			Found                     bool
			Component, Fault, Command string
			Evidence                  []string
		} `json:"advice"`
	}
	if err := json.Unmarshal(a.Body, &st); err != nil {
		return err
	}
	is := false
	for _, x := range st.Advice {
		is = is || x.Found && x.Component == "replica-1" && x.Fault == "lag" && x.Command != "" && len(x.Evidence) > 0
	}
	if is != want {
		return fmt.Errorf("%+v", st.Advice)
	}
	return nil
}
