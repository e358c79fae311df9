package app

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/telemetry/alert"
)

// alertsOfUp reads what `up`, which has no configuration file of its own, is told by its environment.
func alertsOfUp(c config.AlertsConfig) config.AlertsConfig {
	c.Webhook, c.Slack = os.Getenv("STAMPEDE_ALERTS_WEBHOOK"), os.Getenv("STAMPEDE_ALERTS_SLACK")
	if to := os.Getenv("STAMPEDE_ALERTS_MAIL"); to != "" {
		c.Mail = strings.Split(to, ",")
	}
	return c
}

// watchman judges every snapshot by the alert rules and tells whom it is to tell.
type watchman struct {
	*alert.Engine
	tell *alert.Dispatcher
}

func newWatchman(cfg config.Config, log *slog.Logger) (*watchman, error) {
	var to []alert.Notifier
	if cfg.Alerts.Webhook != "" {
		to = append(to, alert.Webhook{URL: cfg.Alerts.Webhook})
	}
	if cfg.Alerts.Slack != "" {
		to = append(to, alert.Slack{URL: cfg.Alerts.Slack})
	}
	if len(cfg.Alerts.Mail) > 0 && cfg.Mail.SMTP.Addr != "" {
		to = append(to, alert.Mail{Addr: cfg.Mail.SMTP.Addr, From: cfg.Mail.From, To: cfg.Alerts.Mail, Username: cfg.Mail.SMTP.Username, Password: cfg.Mail.SMTP.Password})
	}
	w := &watchman{tell: alert.NewDispatcher(alert.DispatcherOptions{Log: log}, to...)}
	rules := alert.DefaultRules(alert.Defaults{Objective: cfg.Alerts.Objective, Cores: float64(runtime.NumCPU())})
	var err error
	w.Engine, err = alert.New(alert.Options{Rules: rules, Notify: func(n alert.Notification) {
		for _, a := range n.Alerts {
			log.Warn("alert", "name", a.Name, "state", string(a.State), "reason", a.Reason)
		}
		w.tell.Send(n)
	}})
	return w, err
}

func (w *watchman) close() { w.tell.Close() }

// routes adds what is asked of alerts.
func (w *watchman) routes(mux *http.ServeMux, auth func(http.HandlerFunc) http.HandlerFunc, causes func() []running.Advice) {
	mux.HandleFunc("GET /admin/alerts", auth(func(rw http.ResponseWriter, _ *http.Request) {
		found := causes()
		opshttp.WriteJSON(rw, http.StatusOK, map[string]any{"alerts": withCauses(w.Alerts(), found), "history": w.History(), "silences": w.Silences(), "deliveries": w.tell.Deliveries(), "causes": found})
	}))
	mux.HandleFunc("POST /admin/alerts/{name}/silence", auth(w.silence))
}

const maxSilence = 7 * 24 * time.Hour

// silence takes {"minutes": n}; 0 ends the silence.
func (w *watchman) silence(rw http.ResponseWriter, r *http.Request) {
	var in struct {
		Minutes int `json:"minutes"`
	}
	err := opshttp.Decode(io.LimitReader(r.Body, 4096), &in)
	if err == nil && (in.Minutes < 0 || time.Duration(in.Minutes)*time.Minute > maxSilence) {
		err = fmt.Errorf("minutes: %d is not from 0 to %d", in.Minutes, int(maxSilence/time.Minute))
	}
	if err != nil {
		opshttp.Problem(rw, http.StatusBadRequest, "malformed", err.Error()+`: send {"minutes":60}`)
		return
	}
	until := time.Now().Add(time.Duration(in.Minutes) * time.Minute)
	if !w.Silence(r.PathValue("name"), until) {
		opshttp.Problem(rw, http.StatusNotFound, "not-found", "there is no rule "+r.PathValue("name")+": GET /admin/alerts names those that fired")
		return
	}
	opshttp.WriteJSON(rw, http.StatusOK, map[string]any{"name": r.PathValue("name"), "until": until.UTC()})
}
