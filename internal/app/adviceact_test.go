package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/governor"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/predict/act"
	"github.com/stampede-shop/stampede/predict/bottleneck"
)

func actingConfig() config.Config {
	cfg := config.Default()
	cfg.Advice.Act.Enabled, cfg.Advice.Act.SlotsMax, cfg.Advice.Act.AdmissionMin = true, 10, 100
	return cfg
}

var hot = []running.Advice{{Advice: bottleneck.Advice{Kind: "hotrow", Resource: "hotrow/api-1", Title: "full", Evidence: []string{"it is 99 % full"}, Confidence: 0.9}}}

// Advice is acted on within the bounds, shown with its evidence, renewed, and taken back when it is switched off.
func TestActing(t *testing.T) {
	t.Parallel()
	var made []act.Turn
	cfg := actingConfig()
	a := newActing(cfg, slog.New(slog.DiscardHandler), func(_ context.Context, turn act.Turn) error {
		made = append(made, turn)
		return nil
	})
	now := time.Unix(1_800_000_000, 0)
	for range 70 {
		now = now.Add(time.Second)
		a.step(t.Context(), now, hot)
	}
	var to []float64
	for _, turn := range made {
		if turn.Setting != governor.Slots {
			t.Errorf("%+v", turn)
		}
		to = append(to, turn.To)
	}
	if want := []float64{6, 6, 6, 6, 6, 6, 6, 9}; !slices.Equal(to, want) { // turned twice, and renewed every ten seconds
		t.Errorf("%v, not %v", to, want)
	}
	if got := a.slots(4); got != 9 {
		t.Errorf("%v slots", got)
	}
	p := &platformOps{token: "the-token", members: func() []opshttp.Member { return nil }, status: func() any { return nil }, advisor: &advisor{acting: a}}
	var st running.AdviceStatus
	if code := askAdvice(t, p, "the-token", &st); code != 200 || st.Acting == nil || !st.Acting.On || len(st.Acting.Turns) != 2 || st.Acting.Turns[0].Evidence[0] != "it is 99 % full" {
		t.Errorf("%d %+v", code, st.Acting)
	}
	for body, want := range map[string]int{`{"on":false}`: 200, `{"off":true}`: 400} {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/admin/advice/act", strings.NewReader(body))
		w := httptest.NewRecorder()
		p.handler().ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("without the token: %d", w.Code)
		}
		r = httptest.NewRequest(http.MethodPost, "http://localhost/admin/advice/act", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer the-token")
		w = httptest.NewRecorder()
		p.handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	if last := made[len(made)-1]; last.To != 4 || !last.Undo || a.slots(0) != 4 {
		t.Errorf("switched off: %+v", last)
	}
	n := len(made)
	a.step(t.Context(), now.Add(time.Hour), hot)
	if len(made) != n {
		t.Error("switched off, it acts")
	}
}

func TestNothingActsUnlessAllowed(t *testing.T) {
	t.Parallel()
	none := func(c *config.ActConfig) { c.SlotsMax, c.AdmissionMin = 0, 0 }
	for _, change := range []func(*config.ActConfig){func(c *config.ActConfig) { c.Enabled = false }, none} {
		cfg := actingConfig()
		change(&cfg.Advice.Act)
		if a := newActing(cfg, slog.New(slog.DiscardHandler), nil); a != nil {
			t.Errorf("%+v acts", cfg.Advice.Act)
		}
	}
	if newActing(config.Default(), slog.New(slog.DiscardHandler), nil) != nil {
		t.Error("it acts by default")
	}
	var off *acting
	off.step(t.Context(), time.Now(), hot)
	p := &platformOps{token: "the-token", advisor: &advisor{}}
	w := httptest.NewRecorder()
	p.actRoute(w, httptest.NewRequest(http.MethodPost, "/admin/advice/act", strings.NewReader(`{"on":true}`)))
	if w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
}

// Turns reach the processes that they concern, and one that does not take it fails the turn.
func TestTurnsReachProcesses(t *testing.T) {
	t.Parallel()
	process := func(knobs ...*governor.Knob) (*governor.Governor, string) {
		g := governor.New(slog.New(slog.DiscardHandler), func() governor.Strain { return governor.Strain{Free: 1} }, knobs...)
		mux := http.NewServeMux()
		g.Route(mux)
		s := httptest.NewServer(mux)
		t.Cleanup(s.Close)
		return g, s.URL
	}
	api, apiURL := process(&governor.Knob{Name: governor.Slots, Now: 4, Low: 1, High: 4, Set: func(float64) {}})
	front, edgeURL := process(&governor.Knob{Name: governor.Admission, Now: 1000, Low: 16, High: 1000, Set: func(float64) {}})
	members := []opshttp.Member{{Name: "api-1", Ops: apiURL}, {Name: "edge", Ops: edgeURL}}
	p := &platformOps{members: func() []opshttp.Member { return members }}
	turn := p.turn(0)
	for setting, to := range map[string]float64{governor.Slots: 6, governor.Admission: 666} {
		if err := turn(t.Context(), act.Turn{Setting: setting, To: to, Reason: "test"}); err != nil {
			t.Error(err)
		}
	}
	if s, a := api.Stats().Knobs[governor.Slots], front.Stats().Knobs[governor.Admission]; s.Now != 6 || a.Now != 666 {
		t.Errorf("%+v %+v", s, a)
	}
	if err := turn(t.Context(), act.Turn{Setting: governor.Admission, To: 3}); err == nil || !strings.Contains(err.Error(), "16") {
		t.Errorf("below what the edge takes: %v", err)
	}
	members = nil
	if err := turn(t.Context(), act.Turn{Setting: governor.Slots, To: 6}); err == nil {
		t.Error("nobody was there, and it counts as done")
	}
}

// A turn that failed is shown with its error, counts as not made, and is tried again after the cool-down.
func TestFailedTurns(t *testing.T) {
	t.Parallel()
	tries := 0
	a := newActing(actingConfig(), slog.New(slog.DiscardHandler), func(context.Context, act.Turn) error {
		tries++
		return errors.New("api-1 is away")
	})
	now := time.Unix(1_800_000_000, 0)
	for range 65 {
		now = now.Add(time.Second)
		a.step(t.Context(), now, hot)
	}
	if st := a.status(); tries != 2 || a.slots(0) != 4 || len(st.Turns) != 2 || st.Turns[0].Error != "api-1 is away" {
		t.Errorf("%d tries, %+v", tries, st)
	}
}
