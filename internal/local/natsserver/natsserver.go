// Package natsserver runs a NATS server with JetStream inside the calling process, with its streams in
// files. It is a package of its own so that only the program that runs the server links it.
//
// A message whose publication was acknowledged survives a kill of the process, because the server writes
// it to its file before it acknowledges (streams with one replica, as here); it survives a crash of the
// machine once the file has been forced to disk, which happens every SyncInterval, or before each
// acknowledgement with SyncAlways.
package natsserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Options configure a server. Dir is needed; the zero value of the rest works.
type Options struct {
	Dir          string        // where streams are kept; made if need be
	Port         int           // on the loopback; 0 picks a free one
	Token        string        // what clients must show; "" lets in every process of the machine
	MaxMemory    int64         // bytes for streams in memory; 0 is 64 MiB
	MaxStore     int64         // bytes for streams on disk; 0 is 4 GiB
	SyncInterval time.Duration // how often files are forced to disk; 0 is 1 s
	SyncAlways   bool          // force each message to disk before it is acknowledged
	Logger       *slog.Logger  // nil discards
	// Ready is called with the server's URL (without the token) once clients can connect.
	Ready func(url string)
}

func (o Options) withDefaults() Options {
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	if o.MaxMemory == 0 {
		o.MaxMemory = 64 << 20
	}
	if o.MaxStore == 0 {
		o.MaxStore = 4 << 30
	}
	if o.SyncInterval == 0 {
		o.SyncInterval = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Ready == nil {
		o.Ready = func(string) {}
	}
	return o
}

const startTimeout = time.Minute

// Run runs the server until ctx ends, then lets clients drain and returns nil. It returns an error when
// the server cannot start, or ends by itself.
func Run(ctx context.Context, o Options) error {
	if o.Dir == "" {
		return errors.New("natsserver: Dir is empty")
	}
	o = o.withDefaults()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "stampede", Host: "127.0.0.1", Port: o.Port, NoSigs: true,
		Authorization: o.Token, JetStream: true, StoreDir: o.Dir,
		JetStreamMaxMemory: o.MaxMemory, JetStreamMaxStore: o.MaxStore,
		SyncInterval: o.SyncInterval, SyncAlways: o.SyncAlways,
		MaxConn: 1000, MaxPayload: 1 << 20, MaxPending: 64 << 20,
		WriteDeadline: 10 * time.Second, PingInterval: 10 * time.Second, MaxPingsOut: 3,
	})
	if err != nil {
		return fmt.Errorf("natsserver: %w", err)
	}
	s.SetLoggerV2(logger{o.Logger}, false, false, false)
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(startTimeout) || !s.JetStreamEnabled() {
		return fmt.Errorf("natsserver: not ready on port %d within %s; is the port taken, or %s not writable?", o.Port, startTimeout, o.Dir)
	}
	o.Ready(s.ClientURL())
	return watch(ctx, s)
}

// watch waits for ctx, and looks whether the server is still well.
func watch(ctx context.Context, s *server.Server) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			// it gives up JetStream when its disk fails; only a restart brings that back
			if !s.Running() || !s.JetStreamEnabled() {
				return errors.New("natsserver: the server ended by itself or lost its storage")
			}
		}
	}
}
