package alert

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Slack posts notifications in the form that Slack's incoming webhooks take, and others after them (Mattermost, Rocket.Chat,
// Discord with /slack).
type Slack struct {
	URL      string
	Runbooks string       // address that runbooks' file names are added to; "" leaves the names
	Client   *http.Client // nil is http.DefaultClient
}

// String names the host; the rest of the address is a secret.
func (s Slack) String() string { return "slack " + hostOf(s.URL) }

type slackMessage struct {
	Text        string            `json:"text"`
	Attachments []slackAttachment `json:"attachments"`
}

type slackAttachment struct {
	Color    string       `json:"color"`
	Title    string       `json:"title"`
	Link     string       `json:"title_link,omitempty"`
	Text     string       `json:"text"`
	Fallback string       `json:"fallback"`
	Fields   []slackField `json:"fields"`
	Time     int64        `json:"ts"`
}

type slackField struct {
	Title string `json:"title"`
	Value string `json:"value"`
	Short bool   `json:"short"`
}

// Notify implements [Notifier].
func (s Slack) Notify(ctx context.Context, n Notification) error {
	m := slackMessage{Text: slackText.Replace(n.Subject())}
	for _, a := range n.Alerts {
		at := slackAttachment{Color: color(a), Title: a.Name, Text: slackText.Replace(a.Text + "\n" + a.Reason), Fallback: slackText.Replace(a.Name + ": " + a.Reason),
			Time: a.Since.Unix(), Fields: []slackField{{"State", string(a.State), true}, {"Severity", string(a.Severity), true}}}
		if s.Runbooks != "" && a.Runbook != "" {
			at.Link = strings.TrimSuffix(s.Runbooks, "/") + "/" + a.Runbook
		} else if a.Runbook != "" {
			at.Fields = append(at.Fields, slackField{"Runbook", a.Runbook, false})
		}
		m.Attachments = append(m.Attachments, at)
	}
	return post(ctx, s.Client, s.URL, nil, m)
}

// slackText escapes what Slack takes for markup.
var slackText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func color(a Alert) string {
	switch {
	case a.State == Resolved:
		return "good"
	case a.Severity == Page:
		return "danger"
	}
	return "warning"
}

// Subject is a notification in a line.
func (n Notification) Subject() string {
	var names []string
	for _, a := range n.Alerts {
		if a.State == n.Status {
			names = append(names, a.Name)
		}
	}
	status := "firing"
	switch {
	case n.Status == Resolved:
		status = "resolved"
	case n.Repeated:
		status = "still firing since " + n.Alerts[0].Since.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("[%s] %s: %s", n.Group, status, strings.Join(names, ", "))
}
