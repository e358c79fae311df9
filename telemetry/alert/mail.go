package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"
)

// Mail sends notifications by SMTP; STARTTLS is used when it is offered, and is asked for before a password is sent.
type Mail struct {
	Addr     string // of the relay, host:port
	From     string
	To       []string
	Username string // "" to send without signing in
	Password string
	TLS      *tls.Config // nil verifies the relay by its name
}

// String names relay and addressees.
func (m Mail) String() string { return "mail to " + strings.Join(m.To, ", ") + " by " + m.Addr }

// Notify implements [Notifier].
func (m Mail) Notify(ctx context.Context, n Notification) error {
	for _, address := range append([]string{m.From}, m.To...) {
		if address == "" || strings.ContainsAny(address, "\r\n<>") {
			return Permanent(fmt.Errorf("%q is not a mail address", address))
		}
	}
	if len(m.To) == 0 {
		return Permanent(errors.New("there is nobody to write to"))
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", m.Addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // net/smtp knows no contexts
	defer stop()
	err = m.send(conn, n)
	var reply *textproto.Error
	if errors.As(err, &reply) && reply.Code >= 500 {
		return Permanent(err)
	}
	return err
}

func (m Mail) send(conn net.Conn, n Notification) error {
	host, _, err := net.SplitHostPort(m.Addr)
	if err != nil {
		return Permanent(err)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	if ok, _ := c.Extension("STARTTLS"); ok {
		cfg := m.TLS
		if cfg == nil {
			cfg = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
		}
		if err := c.StartTLS(cfg); err != nil {
			return err
		}
	}
	if m.Username != "" {
		if err := c.Auth(smtp.PlainAuth("", m.Username, m.Password, host)); err != nil {
			return err
		}
	}
	if err := c.Mail(m.From); err != nil {
		return err
	}
	for _, to := range m.To {
		if err := c.Rcpt(to); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(m.message(n)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // it was taken; what comes after does not matter
	return nil
}

// message is the mail with its headers.
func (m Mail) message(n Notification) []byte {
	var b bytes.Buffer
	for _, h := range [][2]string{{"From", m.From}, {"To", strings.Join(m.To, ", ")}, {"Subject", mime.QEncoding.Encode("utf-8", n.Subject())},
		{"Date", n.At.Format(time.RFC1123Z)}, {"Auto-Submitted", "auto-generated"}, {"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "quoted-printable"}} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	for _, a := range n.Alerts {
		fmt.Fprintf(q, "%s (%s, %s) since %s\r\n%s\r\n%s\r\n", a.Name, a.State, a.Severity, a.Since.UTC().Format(time.RFC3339), a.Text, a.Reason)
		if a.Runbook != "" {
			fmt.Fprintf(q, "What to do: %s\r\n", a.Runbook)
		}
		fmt.Fprint(q, "\r\n")
	}
	_ = q.Close() // a bytes.Buffer takes everything
	return b.Bytes()
}
