package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrDisconnected means that there is no connection to the NATS server at the moment; it is being sought.
var ErrDisconnected = errors.New("queue: not connected to the NATS server")

// ConnectOptions tune [Connect]. The zero value works.
type ConnectOptions struct {
	Name           string        // shown by the server; default "stampede"
	DialTimeout    time.Duration // of one attempt; default 2 s
	ReconnectWait  time.Duration // between attempts, plus up to as much again as jitter; default 250 ms
	PingInterval   time.Duration // two unanswered pings end a connection; default 5 s
	PublishTimeout time.Duration // of one JetStream call without a deadline of its own; default 5 s
	User, Password string
	TLS            bool         // ask for TLS with the system's roots; implied by a tls:// address
	Log            *slog.Logger // nil discards
}

func (o ConnectOptions) withDefaults() ConnectOptions {
	o.Name = orDefault(o.Name, "stampede")
	o.DialTimeout = orDefault(o.DialTimeout, 2*time.Second)
	o.ReconnectWait = orDefault(o.ReconnectWait, 250*time.Millisecond)
	o.PingInterval = orDefault(o.PingInterval, 5*time.Second)
	o.Log = logger(o.Log)
	return o
}

// Connect returns a connection that looks for its server for ever: at the start, and again after every loss. Nothing is
// buffered while there is none: publishing fails at once, so that callers decide what to do. An error means that the
// address or the options are wrong, not that the server is away.
func Connect(url string, o ConnectOptions) (*nats.Conn, error) {
	o = o.withDefaults()
	log := o.Log.With("nats", o.Name)
	opts := []nats.Option{
		nats.Name(o.Name), nats.Timeout(o.DialTimeout), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(o.ReconnectWait), nats.ReconnectJitter(o.ReconnectWait, o.ReconnectWait),
		nats.ReconnectBufSize(-1), nats.PingInterval(o.PingInterval), nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(o.DialTimeout), nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("lost the NATS server; reconnecting", "error", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { log.Info("found the NATS server again", "url", c.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			log.Warn("NATS reports", "subject", subject, "error", err)
		}),
	}
	if o.User != "" {
		opts = append(opts, nats.UserInfo(o.User, o.Password))
	}
	if o.TLS {
		opts = append(opts, nats.Secure())
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return nil, fmt.Errorf("queue: connect: %w", err)
	}
	return nc, nil
}

// publisher makes a JetStream context of the relay's own on js's connection, so that its unacknowledged publishes are
// bounded and time out whatever js was made with.
func publisher(js jetstream.JetStream, timeout time.Duration, pending int) (jetstream.JetStream, error) {
	opts := []jetstream.JetStreamOpt{
		jetstream.WithPublishAsyncTimeout(timeout), jetstream.WithPublishAsyncMaxPending(pending),
		jetstream.WithDefaultTimeout(timeout),
	}
	switch cur := js.Options(); {
	case cur.Domain != "":
		return jetstream.NewWithDomain(js.Conn(), cur.Domain, opts...)
	case cur.APIPrefix != "" && cur.APIPrefix != jetstream.DefaultAPIPrefix:
		return jetstream.NewWithAPIPrefix(js.Conn(), cur.APIPrefix, opts...)
	default:
		return jetstream.New(js.Conn(), opts...)
	}
}
