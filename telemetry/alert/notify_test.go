package alert

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"testing"
	"time"
)

func sampleNotification() Notification {
	fired := at(60)
	return Notification{At: at(70), Group: "data", Status: Firing, Severity: Page, Alerts: []Alert{
		{Name: "replica-lag", State: Firing, Severity: Page, Group: "data", Since: at(30), FiredAt: &fired, Value: 30, Text: "A <replica> is behind & slow.",
			Reason: "lag is 30, above 5 …", Runbook: "docs/runbooks/replica-lag.md"},
		{Name: "queue-depth", State: Resolved, Severity: Ticket, Group: "data", Since: at(0), Text: "The worker is late."},
	}}
}

// poster is a server that keeps the last body and answers with a status.
func poster(t *testing.T, status int) (url string, last func() (http.Header, []byte)) {
	t.Helper()
	type request struct {
		header http.Header
		body   []byte
	}
	got := make(chan request, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- request{r.Header, body}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "no_such_channel")
	}))
	t.Cleanup(s.Close)
	return s.URL + "/T0/secret", func() (http.Header, []byte) { r := <-got; return r.header, r.body }
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	url, last := poster(t, 204)
	w := Webhook{URL: url, Header: http.Header{"authorization": {"Bearer x"}}, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	if err := w.Notify(t.Context(), sampleNotification()); err != nil {
		t.Fatal(err)
	}
	header, body := last()
	var back Notification
	if err := json.Unmarshal(body, &back); err != nil || back.Alerts[0].Name != "replica-lag" || back.Status != Firing || header.Get("Authorization") != "Bearer x" {
		t.Errorf("%v %v %s", err, header, body)
	}
}

func TestAnswersThatAreNoUse(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for status, final := range map[int]bool{404: true, 400: true, 429: false, 408: false, 500: false, 503: false} {
		url, _ := poster(t, status)
		err := Slack{URL: url, Client: client}.Notify(t.Context(), sampleNotification())
		var p permanent
		if err == nil || errors.As(err, &p) != final || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "no_such_channel") {
			t.Errorf("%d: %v", status, err)
		}
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	if err := (Webhook{URL: "http://" + gone.Addr().String() + "/secret"}).Notify(t.Context(), Notification{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	if s := (Slack{URL: "https://hooks.example/T0/secret"}).String(); s != "slack hooks.example" {
		t.Error(s)
	}
}

func TestSlack(t *testing.T) {
	t.Parallel()
	url, last := poster(t, 200)
	s := Slack{URL: url, Runbooks: "https://example.com/blob/main/", Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	if err := s.Notify(t.Context(), sampleNotification()); err != nil {
		t.Fatal(err)
	}
	_, body := last()
	var m slackMessage
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	a := m.Attachments[0]
	if m.Text != "[data] firing: replica-lag" || len(m.Attachments) != 2 || a.Color != "danger" || m.Attachments[1].Color != "good" ||
		a.Text != "A &lt;replica&gt; is behind &amp; slow.\nlag is 30, above 5 …" || a.Link != "https://example.com/blob/main/docs/runbooks/replica-lag.md" {
		t.Errorf("%+v", m)
	}
}

// relay is an SMTP server that takes one mail, or refuses the addressee.
func relay(t *testing.T, refuse bool) (addr string, got chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	got = make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		in := bufio.NewScanner(conn)
		say := func(s string) { _, _ = fmt.Fprint(conn, s+"\r\n") }
		say("220 ready")
		for data, inData := "", false; in.Scan(); {
			switch line := in.Text(); {
			case inData && line == ".":
				got <- data
				inData = false
				say("250 taken")
			case inData:
				data += line + "\r\n"
			case strings.HasPrefix(line, "RCPT") && refuse:
				say("550 nobody of that name")
			case line == "DATA":
				inData = true
				say("354 go on")
			case line == "QUIT":
				say("221 bye")
				return
			default:
				say("250 fine")
			}
		}
	}()
	return l.Addr().String(), got
}

func TestMail(t *testing.T) {
	t.Parallel()
	addr, got := relay(t, false)
	if err := (Mail{Addr: addr, From: "shop@example.com", To: []string{"ops@example.com"}}).Notify(t.Context(), sampleNotification()); err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(strings.NewReader(<-got))
	if err != nil {
		t.Fatal(err)
	}
	subject, _ := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil || subject != "[data] firing: replica-lag" || m.Header.Get("To") != "ops@example.com" ||
		!strings.Contains(string(body), "lag is 30, above 5 …") || !strings.Contains(string(body), "What to do: docs/runbooks/replica-lag.md") {
		t.Errorf("%v %q\n%s", err, subject, body)
	}
}

func TestMailThatCannotBeSent(t *testing.T) {
	t.Parallel()
	refusing, _ := relay(t, true)
	var p permanent
	good := Mail{Addr: refusing, From: "a@example.com", To: []string{"b@example.com"}}
	if err := good.Notify(t.Context(), Notification{}); !errors.As(err, &p) {
		t.Errorf("refused: %v", err)
	}
	bad := good
	bad.To = []string{"x@example.com\r\nBcc: all@example.com"}
	if err := bad.Notify(t.Context(), Notification{}); !errors.As(err, &p) {
		t.Errorf("an address of two lines: %v", err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	good.Addr = silent.Addr().String()
	if err := good.Notify(ctx, Notification{}); err == nil || errors.As(err, &p) {
		t.Errorf("a relay that says nothing: %v", err)
	}
}
