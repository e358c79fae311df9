package config

import "net/url"

// AlertsConfig says what `up` holds good and whom it tells when it is not so. Without addresses alerts are on the dashboard only.
type AlertsConfig struct {
	Objective float64  `koanf:"objective"`             // share of answers that are to be good
	Webhook   string   `koanf:"webhook" secret:"true"` // gets JSON
	Slack     string   `koanf:"slack" secret:"true"`   // gets JSON as Slack's incoming webhooks take it
	Mail      []string `koanf:"mail"`                  // addressees; mail.smtp is the relay
}

func (c AlertsConfig) validate(bad complain) {
	if c.Objective <= 0 || c.Objective >= 1 {
		bad("alerts.objective", c.Objective, "a share between 0 and 1, such as 0.999")
	}
	for key, v := range map[string]string{"alerts.webhook": c.Webhook, "alerts.slack": c.Slack} {
		if u, err := url.Parse(v); v != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			bad(key, masked, "an http:// or https:// address, or empty")
		}
	}
}
