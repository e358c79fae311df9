package natsserver

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const helperEnv = "STAMPEDE_TEST_NATS_DIR"

// TestMain makes the test binary act as a server when asked to, so that one can be killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(helperEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	err := Run(context.Background(), Options{Dir: dir, Token: "secret", Ready: func(url string) { fmt.Println(url) }})
	fmt.Println(err)
	os.Exit(1)
}

// serve starts a server in a process of its own and connects to it.
func serve(t *testing.T, dir string) (jetstream.JetStream, func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url = strings.TrimSpace(url)
	if nc, err := nats.Connect(url); err == nil {
		nc.Close()
		t.Error("connected without the token")
	}
	nc, err := nats.Connect(url, nats.Token("secret"))
	if err != nil {
		t.Fatalf("connect to %q: %v", url, err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js, kill
}

func TestAcknowledgedMessagesSurviveAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	js, kill := serve(t, dir)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}}); err != nil {
		t.Fatal(err)
	}
	const sent = 500
	for i := range sent {
		if _, err := js.Publish(t.Context(), "s.a", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	kill()
	js, _ = serve(t, dir)
	stream, err := js.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.GetMsg(t.Context(), sent)
	if err != nil || string(msg.Data) != fmt.Sprint(sent-1) {
		t.Fatalf("the last message: %v, %v", msg, err)
	}
	if n := stream.CachedInfo().State.Msgs; n != sent {
		t.Errorf("%d messages, want %d", n, sent)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	ready := make(chan string, 1)
	go func() { done <- Run(ctx, Options{Dir: t.TempDir(), Ready: func(url string) { ready <- url }}) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it runs on")
	}
	if err := Run(ctx, Options{}); err == nil {
		t.Error("a server without a folder started")
	}
}
