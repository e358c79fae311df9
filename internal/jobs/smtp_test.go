package jobs

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/mail"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/queue"
)

// mailServer is the smallest server that a mail can be handed to; recipients named rejected@ and busy@ are refused.
// With TLS settings it offers STARTTLS, or with implicit speaks TLS from the start, and takes a password.
type mailServer struct {
	addr     string
	tls      *tls.Config
	implicit bool
	mu       sync.Mutex
	got      []string // recipient, then the message
	login    string   // what came with AUTH, over TLS
}

func startMailServer(t *testing.T, settings ...func(*mailServer)) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &mailServer{addr: l.Addr().String()}
	for _, set := range settings {
		set(s)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() { s.talk(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); done.Wait() })
	return s
}

func (s *mailServer) talk(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	secure := s.implicit
	if secure {
		c = tls.Server(c, s.tls)
	}
	r := bufio.NewReader(c)
	say := func(line string) { fmt.Fprintf(c, "%s\r\n", line) }
	say("220 test")
	to := ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.TrimSpace(line)); {
		case strings.HasPrefix(verb, "RCPT"):
			to = line[strings.Index(line, "<")+1 : strings.Index(line, ">")]
			switch {
			case strings.HasPrefix(to, "rejected@"):
				say("550 no such mailbox")
			case strings.HasPrefix(to, "busy@"):
				say("450 later")
			default:
				say("250 ok")
			}
		case verb == "DATA":
			say("354 go on")
			s.take(to, r)
			say("250 taken")
		case strings.HasPrefix(verb, "EHLO") && secure:
			say("250-test\r\n250 AUTH PLAIN")
		case strings.HasPrefix(verb, "EHLO") && s.tls != nil:
			say("250-test\r\n250 STARTTLS")
		case verb == "STARTTLS":
			say("220 go on")
			c, secure = tls.Server(c, s.tls), true
			r = bufio.NewReader(c)
		case strings.HasPrefix(verb, "AUTH PLAIN ") && secure:
			login, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(line)[len("AUTH PLAIN "):])
			s.mu.Lock()
			s.login = string(login)
			s.mu.Unlock()
			say("235 welcome")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *mailServer) take(to string, r *bufio.Reader) {
	var body strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		body.WriteString(strings.TrimPrefix(line, "."))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, to, body.String())
}

func (s *mailServer) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

func smtpMailer(t *testing.T, w *world, addr string) (*mailer, *smtpPost) {
	t.Helper()
	d := w.deps(t, nil)
	d.Log = newLog()
	d.Mail = MailOptions{From: "Stampede <shop@example.com>", SMTPAddr: addr, Dir: "/nowhere", Timeout: 5 * time.Second}
	m, err := newMailer(d)
	must(t, err)
	p := m.post.(*smtpPost)
	p.sent = memorySent{}
	return m, p
}

func TestMailBySMTPOnce(t *testing.T) {
	t.Parallel()
	s, w := startMailServer(t), newWorld()
	w.orders["o1"] = order("o1")
	w.users["u1"] = shop.User{ID: "u1", Email: "zoe@example.com", Name: "Zoë"}
	m, p := smtpMailer(t, w, s.addr)
	msg := event(shop.TopicOrderConfirmed, shop.OrderEvent{OrderID: "o1", UserID: "u1"})
	must(t, m.handle(t.Context(), msg))
	must(t, m.handle(t.Context(), msg)) // noted as sent
	got := s.taken()
	if len(got) != 2 || got[0] != "zoe@example.com" {
		t.Fatalf("the server took %q, want one mail to zoe", got)
	}
	h, bodies := parts(t, got[1])
	same(t, "message id", h.Get("Message-ID"), "<confirmed.o1@example.com>")
	if !strings.Contains(bodies["text/plain; charset=utf-8"], "Total: 1,234.56 USD") {
		t.Errorf("the mail came as %q", got[1])
	}
	same(t, "noted", p.sent, sentLog(memorySent{"confirmed.o1": true}))

	w.orders["o2"] = order("o2")
	must(t, m.handle(t.Context(), event(shop.TopicOrderConfirmed, shop.OrderEvent{OrderID: "o2", UserID: "guest"})))
	same(t, "mails after one without an address", len(s.taken()), 2)
}

func TestRefusalsOfTheMailServer(t *testing.T) {
	t.Parallel()
	s, w := startMailServer(t), newWorld()
	_, p := smtpMailer(t, w, s.addr)
	l := letter{Kind: kindReminder, Key: "k", Subject: "s"}
	for to, permanent := range map[string]bool{"rejected@example.com": true, "busy@example.com": false} {
		l.To = &mail.Address{Address: to}
		if err := p.deliver(t.Context(), l); err == nil || queue.IsPermanent(err) != permanent {
			t.Errorf("to %s: %v, want an error that is permanent: %v", to, err, permanent)
		}
	}
	p.o.SMTPUsername, p.host = "u", "mail.example.com" // not this machine: a password must not go out in the clear
	l.To = &mail.Address{Address: "a@example.com"}
	if err := p.deliver(t.Context(), l); err == nil || queue.IsPermanent(err) {
		t.Errorf("%v, want a refusal to send the password unencrypted", err)
	}
	same(t, "mails", len(s.taken()), 0)
}

func TestMailOverTLSWithPassword(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	for _, implicit := range []bool{false, true} {
		s := startMailServer(t, func(s *mailServer) {
			s.tls, s.implicit = &tls.Config{Certificates: web.TLS.Certificates}, implicit
		})
		_, p := smtpMailer(t, newWorld(), s.addr)
		p.o.SMTPUsername, p.o.SMTPPassword = "me", "secret"
		if implicit {
			p.port = "465"
		}
		l := letter{Kind: kindReminder, Key: "k", To: &mail.Address{Address: "a@example.com"}}
		if err := p.deliver(t.Context(), l); err == nil {
			t.Error("a certificate that nobody vouches for was trusted")
		}
		p.tls = &tls.Config{RootCAs: roots}
		must(t, p.deliver(t.Context(), l))
		same(t, "mails", len(s.taken()), 2)
		same(t, "login", s.login, "\x00me\x00secret")
	}
}

func TestMailServerThatSaysNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, p := smtpMailer(t, newWorld(), l.Addr().String())
	p.o.Timeout = 100 * time.Millisecond
	err = p.deliver(t.Context(), letter{Kind: kindReminder, Key: "k", To: &mail.Address{Address: "a@example.com"}})
	if !os.IsTimeout(unwrapNet(err)) {
		t.Errorf("%v, want a time-out", err)
	}
}

func TestSentMailIsRememberedByTheQueue(t *testing.T) {
	t.Parallel()
	js := natsJS(t)
	s := &kvSentLog{js: js}
	sent, err := s.Sent(t.Context(), "confirmed.o1")
	must(t, err)
	same(t, "before", sent, false)
	must(t, s.MarkSent(t.Context(), "confirmed.o1"))
	sent, err = (&kvSentLog{js: js}).Sent(t.Context(), "confirmed.o1") // another process
	must(t, err)
	same(t, "after", sent, true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Sent(ctx, "x"); err == nil {
		t.Error("no answer was taken for an answer")
	}
}

func newLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

func unwrapNet(err error) error {
	var n net.Error
	if errors.As(err, &n) {
		return n
	}
	return err
}
