package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/governor"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/app/warming"
	"github.com/stampede-shop/stampede/predict/act"
	"github.com/stampede-shop/stampede/predict/bottleneck"
	"github.com/stampede-shop/stampede/predict/diagnosis"
)

const (
	actWarm    = "warm"
	actConfirm = 3                // seconds in a row
	actRenew   = 10 * time.Second // well within the lease of a bound
)

// acting does about advice what the configuration allows. Governors hold the bounds that it moves, and only for as long as it renews them.
type acting struct {
	log   *slog.Logger
	apply func(ctx context.Context, t act.Turn) error

	mu      sync.Mutex // also while turns are made, so that Off is the last word
	actor   *act.Actor
	renewed time.Time
}

// newActing is nil where nothing is allowed.
func newActing(cfg config.Config, log *slog.Logger, apply func(ctx context.Context, t act.Turn) error) *acting {
	c := cfg.Advice.Act
	var settings []act.Setting
	if c.SlotsMax > 0 {
		settings = append(settings, act.Setting{Name: governor.Slots, Against: []string{bottleneck.HotRow, diagnosis.HotProduct}, Base: float64(cfg.Checkout.Slots), Bound: float64(c.SlotsMax)})
	}
	if c.AdmissionMin > 0 {
		settings = append(settings, act.Setting{Name: governor.Admission, Against: []string{bottleneck.CPU, bottleneck.Pool}, Base: float64(cfg.Edge.Admission.Max), Bound: float64(c.AdmissionMin)})
	}
	if c.WarmTop > 0 {
		settings = append(settings, act.Setting{Name: actWarm, Against: []string{diagnosis.Emptied}, Bound: float64(c.WarmTop), Deed: true})
	}
	if !c.Enabled || len(settings) == 0 {
		return nil
	}
	actor, err := act.New(act.Options{Settings: settings, Cooldown: c.Cooldown, Hold: c.Hold, Confirm: actConfirm, Confidence: c.Confidence})
	if err != nil { // the configuration was checked
		log.Error("nothing acts on advice", "error", err)
		return nil
	}
	return &acting{log: log, apply: apply, actor: actor}
}

// step does what is to be done about what is wrong now, and renews what was done.
func (a *acting) step(ctx context.Context, now time.Time, list []running.Advice) {
	if a == nil {
		return
	}
	causes := make([]act.Cause, len(list))
	for i, x := range list {
		causes[i] = act.Cause{Kind: x.Kind, Resource: x.Resource, Title: x.Title, Evidence: x.Evidence, Confidence: x.Confidence}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.do(ctx, a.actor.Step(now, causes))
	if now.Sub(a.renewed) < actRenew {
		return
	}
	a.renewed = now
	for _, s := range a.actor.Status().Settings {
		if s.Deed || s.Now == s.Base {
			continue
		}
		if err := a.apply(ctx, act.Turn{Setting: s.Name, From: s.Now, To: s.Now, Reason: "renewed"}); err != nil {
			a.log.Warn("what was done about advice could not be renewed everywhere", "setting", s.Name, "error", err)
		}
	}
}

// do makes turns and tells of them; the lock is held.
func (a *acting) do(ctx context.Context, turns []act.Turn) {
	for _, t := range turns {
		err := a.apply(ctx, t)
		if err != nil {
			a.actor.Failed(t, err)
		}
		a.log.Warn("acted on advice", "setting", t.Setting, "from", t.From, "to", t.To, "undo", t.Undo, "resource", t.Resource, "reason", t.Reason, "evidence", t.Evidence, "error", err)
	}
}

// status is nil where nothing is allowed.
func (a *acting) status() *act.Status {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	st := a.actor.Status()
	return &st
}

// slots are those that checkouts have now.
func (a *acting) slots(usual float64) float64 {
	if st := a.status(); st != nil {
		for _, s := range st.Settings {
			if s.Name == governor.Slots {
				return s.Now
			}
		}
	}
	return usual
}

// set switches it on or off.
func (a *acting) set(ctx context.Context, on bool, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log.Warn("acting on advice was switched", "on", on)
	if on {
		a.actor.On()
		return
	}
	a.do(ctx, a.actor.Off(now))
}

// actRoute lets the administrator switch it.
func (p *platformOps) actRoute(w http.ResponseWriter, r *http.Request) {
	var req running.ActRequest
	if err := opshttp.Decode(http.MaxBytesReader(w, r.Body, 1<<16), &req); err != nil {
		opshttp.Problem(w, http.StatusBadRequest, "malformed", fmt.Sprintf("%v: send {\"on\":true} or {\"on\":false}", err))
		return
	}
	if p.advisor == nil || p.advisor.acting == nil {
		opshttp.Problem(w, http.StatusNotFound, "not-found", "nothing acts on advice here: set advice.act.enabled and a bound; see docs/predict.md")
		return
	}
	p.advisor.acting.set(r.Context(), req.On, time.Now().UTC())
	opshttp.WriteJSON(w, http.StatusOK, p.advisor.acting.status())
}

// turn makes one turn in all processes that it concerns.
func (p *platformOps) turn(warmRate float64) func(ctx context.Context, t act.Turn) error {
	return func(ctx context.Context, t act.Turn) error {
		to, one := p.membersOf("api"), func(ctx context.Context, m opshttp.Member) error {
			return bindMember(ctx, m, governor.BoundRequest{Knob: t.Setting, High: t.To, Why: t.Reason})
		}
		switch t.Setting {
		case actWarm:
			one = func(ctx context.Context, m opshttp.Member) error {
				_, _, err := warmMember(ctx, m, warming.Request{Top: int(t.To), Rate: warmRate, NoEdges: true})
				return err
			}
		case governor.Admission:
			to = p.membersOf(running.EdgeName)
		}
		if len(to) == 0 {
			return errors.New("no process answers for it")
		}
		return errors.Join(opshttp.FanOut(ctx, to, func(ctx context.Context, m opshttp.Member) (error, error) {
			if err := one(ctx, m); err != nil {
				return fmt.Errorf("%s: %w", m.Name, err), nil
			}
			return nil, nil
		})...)
	}
}

// bindMember moves a bound in one process.
func bindMember(ctx context.Context, m opshttp.Member, r governor.BoundRequest) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	status, raw, err := opshttp.Ask(ctx, http.MethodPost, m.Ops, governor.BoundPath, body, opshttp.MaxPurgeAnswer)
	if err == nil && status >= 300 {
		err = opshttp.ProblemError(http.MethodPost+" "+governor.BoundPath, http.StatusText(status), raw)
	}
	return err
}
