package clickstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"
)

// Options tune a store. Address is needed; the zero value of the rest works.
type Options struct {
	Address  string // host:port of the native protocol
	Database string // made if need be; default "stampede"
	User     string // default "default"
	Password string
	TLS      *tls.Config // nil: none
	// Keep is how long events are kept, in whole days; default 400 days, negative for ever.
	Keep      time.Duration
	MemoryMiB int // a query may use on the server; default 2048
	// Async lets the server join inserts of several clients into one part (async_insert); an append still waits until it is on disk, which
	// takes as long as the server gathers. It pays where many write to the server, and makes each append later.
	Async bool
	// WriteTimeout bounds an append, ReadTimeout what the store itself reads, but for Query, which has a bound of its own, and Export, which
	// has its caller's. Defaults: a minute each.
	WriteTimeout, ReadTimeout time.Duration
	Readers                   int // queries at a time; more wait. Default 8
	Log                       *slog.Logger
}

const (
	day         = 24 * time.Hour
	dialTimeout = 5 * time.Second
	greeting    = 10 * time.Second // for the handshake
)

func (o Options) withDefaults() Options {
	if o.Database == "" {
		o.Database = "stampede"
	}
	if o.User == "" {
		o.User = "default"
	}
	if o.Keep == 0 {
		o.Keep = 400 * day
	}
	if o.MemoryMiB <= 0 {
		o.MemoryMiB = 2048
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = time.Minute
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = time.Minute
	}
	if o.Readers <= 0 {
		o.Readers = 8
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// ParseDSN reads clickhouse://user:password@host:9000/database?secure=true&async=true. Errors do not repeat it: it has a password.
func ParseDSN(dsn string) (o Options, err error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "clickhouse" || u.Hostname() == "" {
		return o, errors.New("clickstore: the DSN has to be like clickhouse://user:password@host:9000/database")
	}
	secure, async := false, false
	for key, values := range u.Query() {
		to := map[string]*bool{"secure": &secure, "async": &async}[key]
		if to == nil {
			return o, fmt.Errorf("clickstore: the DSN has no parameter %q: take secure or async", key)
		}
		if *to, err = strconv.ParseBool(values[len(values)-1]); err != nil {
			return o, fmt.Errorf("clickstore: the DSN's %s has to be true or false", key)
		}
	}
	port := u.Port()
	if port == "" {
		port = map[bool]string{false: "9000", true: "9440"}[secure]
	}
	o = Options{Address: net.JoinHostPort(u.Hostname(), port), User: u.User.Username(), Async: async}
	o.Password, _ = u.User.Password()
	if len(u.Path) > 1 {
		o.Database = u.Path[1:]
	}
	if secure {
		o.TLS = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	return o, nil
}
