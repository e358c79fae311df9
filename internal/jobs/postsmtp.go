package jobs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"time"

	"github.com/stampede-shop/stampede/queue"
)

// smtpPost hands letters to a mail server. A letter without an address is left out.
type smtpPost struct {
	o    MailOptions
	host string
	port string
	from *mail.Address
	sent sentLog
	now  func() time.Time
	log  *slog.Logger
	tls  *tls.Config // for tests; nil: the system's roots
}

func newSMTPPost(o MailOptions, from *mail.Address, d Deps) (*smtpPost, error) {
	host, port, err := net.SplitHostPort(o.SMTPAddr)
	if err != nil || host == "" {
		return nil, fmt.Errorf("jobs: mail server %q is not host:port", o.SMTPAddr)
	}
	return &smtpPost{o: o, host: host, port: port, from: from, sent: &kvSentLog{js: d.JetStream}, now: d.Now, log: d.Log}, nil
}

// deliver sends the letter unless it is known to have been sent. Dying between the server's yes and our note of it sends
// it twice, under one Message-ID.
func (p *smtpPost) deliver(ctx context.Context, l letter) error {
	if l.To == nil {
		p.log.Info("no mail: the shopper left no address", "mail", l.Key)
		return nil
	}
	sent, err := p.sent.Sent(ctx, l.Key)
	if err != nil || sent {
		return err
	}
	data, err := l.bytes(p.from, p.now())
	if err != nil {
		return queue.Permanent(err)
	}
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	if err := p.send(ctx, l.To.Address, data); err != nil {
		return err
	}
	if err := p.sent.MarkSent(ctx, l.Key); err != nil { // sent is sent: a retry would send it again
		p.log.Warn("a sent mail could not be noted", "mail", l.Key, "error", err)
	}
	return nil
}

func (p *smtpPost) send(ctx context.Context, to string, data []byte) error {
	c, err := p.dial(ctx)
	if err != nil {
		return fmt.Errorf("jobs: mail server: %w", err)
	}
	defer c.Close()
	if err := p.greet(c); err != nil {
		return fmt.Errorf("jobs: mail server: %w", err)
	}
	if err := c.Mail(p.from.Address); err != nil {
		return fmt.Errorf("jobs: mail server: sender: %w", err)
	}
	if err := c.Rcpt(to); err != nil {
		return refused(fmt.Errorf("jobs: mail server: recipient: %w", err))
	}
	w, err := c.Data()
	if err != nil {
		return refused(fmt.Errorf("jobs: mail server: %w", err))
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("jobs: mail server: %w", err)
	}
	if err := w.Close(); err != nil {
		return refused(fmt.Errorf("jobs: mail server: %w", err))
	}
	_ = c.Quit() // the letter is taken already
	return nil
}

// dial connects; the whole conversation ends with ctx.
func (p *smtpPost) dial(ctx context.Context) (*smtp.Client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.o.SMTPAddr)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if p.port == "465" {
		conn = tls.Client(conn, p.tlsConfig())
	}
	c, err := smtp.NewClient(conn, p.host)
	if err != nil {
		_ = conn.Close()
	}
	return c, err
}

// greet begins TLS where offered, and signs in.
func (p *smtpPost) greet(c *smtp.Client) error {
	if err := c.Hello("localhost"); err != nil {
		return err
	}
	if ok, _ := c.Extension("STARTTLS"); ok {
		if err := c.StartTLS(p.tlsConfig()); err != nil {
			return err
		}
	}
	if p.o.SMTPUsername == "" {
		return nil
	}
	return c.Auth(smtp.PlainAuth("", p.o.SMTPUsername, p.o.SMTPPassword, p.host)) // refuses to do so in the clear
}

func (p *smtpPost) tlsConfig() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if p.tls != nil {
		c = p.tls.Clone()
	}
	c.ServerName = p.host
	return c
}

// refused makes a final no (5xx) about this letter permanent.
func refused(err error) error {
	var reply *textproto.Error
	if errors.As(err, &reply) && reply.Code >= 500 {
		return queue.Permanent(err)
	}
	return err
}
