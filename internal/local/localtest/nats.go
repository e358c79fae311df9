package localtest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// NATS starts a server with JetStream inside this test binary, for this test alone, and returns its
// URL. It is shut down and its files removed at the end of the test.
func NATS(tb testing.TB) string {
	tb.Helper()
	return NATSServer(tb).ClientURL()
}

// NATSServer is like NATS and returns the server, for tests that disconnect clients or shut it down.
func NATSServer(tb testing.TB) *server.Server {
	tb.Helper()
	dir, err := os.MkdirTemp(need(tb).dir, "nats")
	if err != nil {
		tb.Fatalf("localtest: %v", err)
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: filepath.Join(dir, "store"),
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 256 << 20,
	})
	if err != nil {
		tb.Fatalf("localtest: NATS: %v", err)
	}
	s.Start()
	tb.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
		_ = os.RemoveAll(dir)
	})
	if !s.ReadyForConnections(startTimeout) || !s.JetStreamEnabled() {
		tb.Fatal("localtest: NATS did not start within " + time.Duration(startTimeout).String())
	}
	return s
}
