package duckstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/duckstore"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

func connect(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// ingesting runs an ingester until the returned function is called.
func ingesting(t testing.TB, js jetstream.JetStream, store analytics.Store, o analytics.IngestOptions) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	o.Flush = 20 * time.Millisecond
	go func() { done <- analytics.NewIngester(js, store, o).Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// count waits until the store has so many events, and fails when it has more, or some twice.
func count(t testing.TB, s analytics.Store, want int64) {
	t.Helper()
	var got []any
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); {
		r, err := s.Query(t.Context(), "SELECT count(*), count(DISTINCT id) FROM events", analytics.QueryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got = r.Rows[0]
		if n := got[0].(int64); n >= want {
			break
		}
		time.Sleep(20 * time.Millisecond) // between two looks at a condition
	}
	if got[0] != want || got[1] != want {
		t.Fatalf("%v events and %v ids are stored, want %d", got[0], got[1], want)
	}
}

func event(kind analytics.Kind, at time.Time) analytics.Event {
	return analytics.Event{ID: analytics.NewID(), Time: at, Kind: kind, Shopper: 1, Product: 1}
}

func ensure(t testing.TB, js jetstream.JetStream) {
	t.Helper()
	if _, err := analytics.EnsureStream(t.Context(), js, analytics.StreamOptions{MaxBytes: 16 << 20}); err != nil {
		t.Fatal(err)
	}
}

func TestEventsAreStoredOnce(t *testing.T) {
	t.Parallel()
	js := connect(t, localtest.NATS(t))
	ensure(t, js)
	s := open(t, duckstore.Options{})
	c := analytics.NewCollector(js, analytics.CollectorOptions{})
	defer c.Close(t.Context())
	live := analytics.NewLive()
	stop := ingesting(t, js, s, analytics.IngestOptions{Live: live})

	now := time.Now()
	var fresh, late []analytics.Event
	for i := range 500 {
		fresh = append(fresh, event(analytics.KindView, now))
		late = append(late, event(analytics.KindAdd, now.Add(-time.Duration(i+12)*time.Minute)))
	}
	var senders sync.WaitGroup
	for range 4 { // the same events from four sides
		senders.Go(func() {
			for i := 0; i < len(fresh); i += 50 {
				if err := errors.Join(c.Add(t.Context(), fresh[i:i+50]), c.Add(t.Context(), late[i:i+50])); err != nil {
					t.Error(err)
				}
			}
		})
	}
	senders.Wait()
	count(t, s, 1000)
	if v := live.Snapshot(time.Now()).Hour.Events["view"]; v != 500 {
		t.Errorf("windows show %d views", v)
	}

	// Another process knows what this one had stored: from memory what is new, from the store what is old.
	stop()
	live = analytics.NewLive()
	ingesting(t, js, s, analytics.IngestOptions{Live: live})
	more := append(append([]analytics.Event{event(analytics.KindSearch, now)}, fresh...), late...)
	if err := c.Add(t.Context(), more); err != nil {
		t.Fatal(err)
	}
	if err := c.Add(t.Context(), []analytics.Event{event(analytics.KindClick, now)}); err != nil {
		t.Fatal(err)
	}
	count(t, s, 1002)
	if v := live.Snapshot(time.Now()).Hour.Events["view"]; v != 500 {
		t.Errorf("after a restart windows show %d views", v)
	}
}

// flaky fails in the ways a store can: before anything is stored, and in telling what is.
type flaky struct {
	*duckstore.Store
	appends, looks atomic.Int32
}

func (f *flaky) Append(ctx context.Context, b []*analytics.Batch, at analytics.Place) error {
	if f.appends.Add(1)%3 != 0 {
		return errors.New("the disk is full")
	}
	return f.Store.Append(ctx, b, at)
}

func (f *flaky) Stored(ctx context.Context, ids []analytics.ID, from, to time.Time) ([]analytics.ID, error) {
	if f.looks.Add(1) == 1 {
		return nil, errors.New("out of memory")
	}
	return f.Store.Stored(ctx, ids, from, to)
}

func TestAStoreThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	js := connect(t, localtest.NATS(t))
	ensure(t, js)
	s := &flaky{Store: open(t, duckstore.Options{})}
	c := analytics.NewCollector(js, analytics.CollectorOptions{Delay: time.Millisecond})
	defer c.Close(t.Context())
	ingesting(t, js, s, analytics.IngestOptions{})
	old := event(analytics.KindView, time.Now().Add(-time.Hour))
	for range 20 {
		if err := c.Add(t.Context(), []analytics.Event{old, event(analytics.KindView, time.Now())}); err != nil {
			t.Fatal(err)
		}
	}
	count(t, s, 21)
}

func TestCorruptBatchesHoldNobodyUp(t *testing.T) {
	t.Parallel()
	js := connect(t, localtest.NATS(t))
	ensure(t, js)
	s := open(t, duckstore.Options{})
	aside := make(chan string, 1)
	ingesting(t, js, s, analytics.IngestOptions{SetAside: func(_ uint64, raw []byte) error { aside <- string(raw); return nil }})
	if err := analytics.Publish(t.Context(), js, []byte("rubbish")); err != nil {
		t.Fatal(err)
	}
	if err := analytics.Publish(t.Context(), js, batchOf(3, time.Now()).Append(nil)); err != nil {
		t.Fatal(err)
	}
	count(t, s, 3)
	if got := <-aside; got != "rubbish" {
		t.Errorf("set aside %q", got)
	}
}

// A stream that was made anew begins to count at 1 again; what is in it must not be taken for stored.
func TestAStreamMadeAnewIsReadFromItsBeginning(t *testing.T) {
	t.Parallel()
	js := connect(t, localtest.NATS(t))
	ensure(t, js)
	s := open(t, duckstore.Options{})
	ingesting(t, js, s, analytics.IngestOptions{Trim: 20 * time.Millisecond})
	for range 5 {
		if err := analytics.Publish(t.Context(), js, batchOf(1, time.Now()).Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
	count(t, s, 5)
	if err := js.DeleteStream(t.Context(), analytics.Stream); err != nil {
		t.Fatal(err)
	}
	ensure(t, js)
	if err := analytics.Publish(t.Context(), js, batchOf(2, time.Now()).Append(nil)); err != nil {
		t.Fatal(err)
	}
	count(t, s, 7)
}

func TestAFullStreamRefusesAndLosesNothing(t *testing.T) {
	t.Parallel()
	js := connect(t, localtest.NATS(t))
	if _, err := analytics.EnsureStream(t.Context(), js, analytics.StreamOptions{MaxBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	c := analytics.NewCollector(js, analytics.CollectorOptions{Patience: 100 * time.Millisecond})
	defer c.Close(context.WithoutCancel(t.Context()))
	taken := int64(0)
	for {
		var some []analytics.Event
		for range 2000 {
			some = append(some, event(analytics.KindView, time.Now()))
		}
		err := c.Add(t.Context(), some)
		if errors.Is(err, analytics.ErrBusy) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		taken += int64(len(some))
	}
	s := open(t, duckstore.Options{})
	ingesting(t, js, s, analytics.IngestOptions{Trim: 50 * time.Millisecond, Stream: analytics.StreamOptions{MaxBytes: 1 << 20}})
	count(t, s, taken)
	for { // there is room again once what is stored is trimmed
		err := c.Add(t.Context(), []analytics.Event{event(analytics.KindView, time.Now())})
		if err == nil {
			break
		}
		if !errors.Is(err, analytics.ErrBusy) {
			t.Fatal(err)
		}
	}
	count(t, s, taken+1)
}

// Environment of the process that is killed.
const (
	killedDir  = "STAMPEDE_TEST_KILLED_STORE"
	killedNATS = "STAMPEDE_TEST_KILLED_NATS"
	killedLand = "STAMPEDE_TEST_KILLED_LAND" // set: transactions become files
)

// TestKilledIngester is the process that TestNothingIsLostOrDoubledByAKill kills.
func TestKilledIngester(t *testing.T) {
	if os.Getenv(killedDir) == "" {
		t.Skip("a process of another test")
	}
	s := open(t, duckstore.Options{Dir: os.Getenv(killedDir), Land: landing(os.Getenv(killedLand) != "")})
	err := analytics.NewIngester(connect(t, os.Getenv(killedNATS)), s, analytics.IngestOptions{Flush: 5 * time.Millisecond, Trim: 10 * time.Millisecond}).Run(t.Context())
	t.Fatal("the ingester ended: ", err)
}

func landing(files bool) int {
	if files {
		return 1
	}
	return -1
}

func TestNothingIsLostOrDoubledByAKill(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]string{"table": "", "files": "yes"} {
		t.Run(name, func(t *testing.T) { t.Parallel(); killed(t, files) })
	}
}

func killed(t *testing.T, files string) {
	t.Helper()
	url, dir := localtest.NATS(t), t.TempDir()
	js := connect(t, url)
	ensure(t, js)
	c := analytics.NewCollector(js, analytics.CollectorOptions{Delay: time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	var sent atomic.Int64
	var sender sync.WaitGroup
	sender.Go(func() {
		for ctx.Err() == nil {
			some := make([]analytics.Event, 100)
			for i := range some {
				some[i] = event(analytics.KindView, time.Now())
			}
			if err := c.Add(context.WithoutCancel(ctx), some); err != nil {
				t.Error(err)
				return
			}
			if err := c.Add(context.WithoutCancel(ctx), some[:10]); err != nil { // a client that did not hear the answer
				t.Error(err)
			}
			sent.Add(int64(len(some)))
		}
	})
	for range 4 {
		before := stored(t, js)
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledIngester$") //nolint:gosec // ourselves
		cmd.Env = append(os.Environ(), killedDir+"="+dir, killedNATS+"="+url, killedLand+"="+files)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(time.Minute); stored(t, js) < before+20; { // it has committed something, and is in the middle of more
			if time.Sleep(2 * time.Millisecond); time.Now().After(end) {
				t.Error("the ingester stores nothing")
				break
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	stop()
	sender.Wait()
	c.Close(t.Context())
	s := open(t, duckstore.Options{Dir: dir, Land: landing(files != "")})
	ingesting(t, js, s, analytics.IngestOptions{})
	count(t, s, sent.Load())
	if rows := query(t, s, "SELECT count(*) > 0 FROM landed"); rows[0][0] != (files != "") {
		t.Errorf("landed files: %v", rows)
	}
}

// stored is how far the stream was trimmed: what is before it is committed.
func stored(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	stream, err := js.Stream(t.Context(), analytics.Stream)
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.FirstSeq
}

func ExampleStore() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "events")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := duckstore.Open(ctx, duckstore.Options{Dir: dir, MemoryMiB: 256})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	var b analytics.Batch
	b.Add(&analytics.Event{ID: analytics.NewID(), Time: time.Now(), Kind: analytics.KindOrder, Amount: 1999, Currency: "EUR"})
	if err := s.Append(ctx, []*analytics.Batch{&b}, analytics.Place{}); err != nil {
		panic(err)
	}
	r, err := s.Query(ctx, "SELECT kind, sum(amount)::BIGINT AS revenue FROM events GROUP BY kind", analytics.QueryOptions{})
	fmt.Println(r.Columns, r.Rows, err)
	// Output: [kind revenue] [[order 1999]] <nil>
}
