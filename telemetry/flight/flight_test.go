package flight

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime/trace"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A slow request makes a trace of the seconds before it be written, once: with what was logged into it before.
func TestTheTimeBeforeASpike(t *testing.T) { //nolint:paralleltest // a process has one flight recorder
	r, err := New(Options{Dir: t.TempDir(), Slow: 100 * time.Millisecond, Window: time.Second, Pause: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	r.Observe("GET /", "before", time.Minute) // it does not run yet
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	wait(t, r.ready.Load)
	if err := (&Recorder{o: r.o}).Run(ctx); err == nil {
		t.Error("two recorders run")
	}
	trace.Log(ctx, "marker", "just-before-the-spike")
	r.Observe("GET /", "fast", 99*time.Millisecond)
	if list, err := r.Archive().List(); err != nil || len(list) != 0 {
		t.Fatalf("%v %v", list, err)
	}
	r.Observe("GET /cart", "slow-one", 150*time.Millisecond)
	wait(t, func() bool { return r.Written() == 1 })
	r.Observe("GET /cart", "too-soon", time.Second)
	list, err := r.Archive().List()
	if err != nil || len(list) != 1 || list[0].What != "GET /cart" || list[0].ID != "slow-one" || list[0].Took != 150*time.Millisecond {
		t.Fatalf("%+v %v", list, err)
	}
	f, err := r.Archive().Open(list[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(f)
	if err != nil || !bytes.HasPrefix(raw, []byte("go 1.")) || !bytes.Contains(raw, []byte("just-before-the-spike")) {
		t.Errorf("%d bytes, %v: not a trace with what was before", len(raw), err)
	}
}

func wait(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

type text string

func (s text) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(s))
	return int64(n), err
}

func TestFilesAreBounded(t *testing.T) {
	t.Parallel()
	r, err := New(Options{Dir: t.TempDir(), Files: 3})
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for i := range 7 {
		r.write(text("trace"), Reason{At: noon.Add(time.Duration(i) * time.Second), What: "test"})
	}
	list, err := r.Archive().List()
	if err != nil || len(list) != 3 || !list[0].At.Equal(noon.Add(4*time.Second)) || list[0].Bytes != 5 {
		t.Errorf("%+v %v", list, err)
	}
	for _, name := range []string{"../../etc/passwd", "flight-20261127T120000.000Z.trace", ""} {
		if _, err := r.Archive().Open(name); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := New(Options{}); !errors.Is(err, ErrNoDir) {
		t.Error(err)
	}
}

func TestJumpsAndSigns(t *testing.T) {
	t.Parallel()
	var u usual
	for i := range 2 * enough {
		if _, is := u.look(reading{1000, time.Duration(10+i%10) * time.Millisecond}); is != nothing {
			t.Fatal("noise is something")
		}
	}
	for r, want := range map[reading]change{
		{1000, 29 * time.Millisecond}: nothing, {1000, 35 * time.Millisecond}: sign, {1000, 55 * time.Millisecond}: sign,
		{1000, 80 * time.Millisecond}: jump, {600, 0}: nothing, {400, 0}: sign, {0, 0}: sign,
	} {
		if _, is := u.look(r); is != want {
			t.Errorf("%v is %v, want %v", r, is, want)
		}
	}
	var quiet usual
	for range 2 * enough {
		quiet.look(reading{50, time.Millisecond})
	}
	for _, r := range []reading{{50, 4 * time.Millisecond}, {10, 0}} {
		if _, is := quiet.look(r); is != nothing {
			t.Errorf("%v is %v among few and short ones", r, is)
		}
	}
	if _, is := quiet.look(reading{50, 40 * time.Millisecond}); is != sign {
		t.Errorf("40 ms are worth a trace: %v", is)
	}
}

func BenchmarkObserve(b *testing.B) {
	r, err := New(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r.Observe("GET /", "id", time.Millisecond)
	}
}
