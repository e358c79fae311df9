package queue

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/internal/local/localtest"
)

const serverEnv = "QUEUE_TEST_NATS_DIR" // set: this process is a NATS server, to be killed

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverEnv); dir != "" {
		serve(dir)
		return
	}
	localtest.Main(m)
}

// serve runs a server on the port that the folder remembers, until it is killed or its parent is gone.
func serve(dir string) {
	portFile := filepath.Join(dir, "port")
	port := server.RANDOM_PORT
	if b, err := os.ReadFile(portFile); err == nil {
		port, _ = strconv.Atoi(string(b))
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: filepath.Join(dir, "store"), JetStreamMaxStore: 128 << 20})
	if err != nil {
		os.Exit(1)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		os.Exit(1)
	}
	url := s.ClientURL()
	_, p, _ := cutLast(url, ':')
	_ = os.WriteFile(portFile, []byte(p), 0o600)
	fmt.Println(url)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func cutLast(s string, sep byte) (string, string, bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == sep {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// natsProcess is a server in a process of its own, which can be killed and started again at its address.
type natsProcess struct {
	dir string
	url string
	cmd *exec.Cmd
	in  io.Closer
}

func startNATS(t *testing.T) *natsProcess {
	t.Helper()
	p := &natsProcess{dir: t.TempDir()}
	p.start(t)
	t.Cleanup(p.kill)
	return p
}

func (p *natsProcess) start(t *testing.T) {
	t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), serverEnv+"="+p.dir)
	in, err := p.cmd.StdinPipe()
	must(t, err)
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	p.in = in
	_, err = fmt.Fscanln(out, &p.url)
	must(t, err)
}

func (p *natsProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = p.in.Close()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !check() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func connect(t testing.TB, url string) *nats.Conn {
	t.Helper()
	nc, err := Connect(url, ConnectOptions{ReconnectWait: 20 * time.Millisecond})
	must(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// streams returns JetStream at url with both streams made.
func streams(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(connect(t, url))
	must(t, err)
	must(t, EnsureStreams(t.Context(), js, StreamOptions{MaxBytes: 32 << 20, DeadMaxBytes: 8 << 20}))
	return js
}

// outbox returns a database with an outbox.
func outbox(t testing.TB, name string) Source {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), localtest.Postgres(t).Database(t))
	must(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), OutboxDDL)
	must(t, err)
	return Source{Name: name, Pool: pool}
}

func add(t testing.TB, s Source, topic string, n int) {
	t.Helper()
	for i := range n {
		must(t, Append(t.Context(), s.Pool, Event{Topic: topic, Key: strconv.Itoa(i), Payload: []byte(fmt.Sprintf(`{"n":%d}`, i))}))
	}
}

func rows(t testing.TB, s Source) int64 {
	t.Helper()
	b, err := Backlogs(t.Context(), []Source{s})
	must(t, err)
	return b[0].Rows
}

func relay(t testing.TB, js jetstream.JetStream, o RelayOptions, sources ...Source) *Relay {
	t.Helper()
	r := NewRelay(js, sources, o)
	r.Start()
	t.Cleanup(r.Stop)
	return r
}

func consume(t testing.TB, js jetstream.JetStream, o ConsumerOptions) *Consumer {
	t.Helper()
	c, err := NewConsumer(js, o)
	must(t, err)
	c.Start()
	t.Cleanup(c.Stop)
	return c
}

// counter is the sum of a counter over its labels.
func counter(t testing.TB, reg *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// ledger counts deliveries by message id.
type ledger struct {
	mu   sync.Mutex
	seen map[string]int
	keys map[string]int
}

func newLedger() *ledger { return &ledger{seen: map[string]int{}, keys: map[string]int{}} }

func (l *ledger) handle(_ context.Context, m Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen[m.ID]++; l.seen[m.ID] == 1 {
		l.keys[m.Key]++ // the effect, once an id
	}
	return nil
}

func (l *ledger) count() (ids, deliveries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.seen {
		deliveries += n
	}
	return len(l.seen), deliveries
}
