package cache_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

const (
	readerEnv       = "CACHE_TEST_READER" // the Redis of a process that only reads
	readerTTLEnv    = "CACHE_TEST_TTL"
	readerProcesses = 3
	readers         = 1000
)

// TestStampedeOnPurge: a hot key is invalidated again and again under a thousand readers in three processes. Exactly one
// load each time reaches the database.
func TestStampedeOnPurge(t *testing.T) {
	t.Parallel()
	redis := localtest.Redis(t).Addr
	crowd := startReaders(t, redis, time.Minute)
	s := store(t, cache.Options{Redis: []string{redis}, Bus: crowd, LeaseTTL: time.Minute, Beat: time.Minute})
	// It keeps nothing in memory: what it finds is in L2.
	f := cache.New[int64](s, "hot", cache.FamilyOptions{Beta: -1, L1TTL: time.Nanosecond})
	source := &counter{client(t, redis)}
	const purges = 10
	for i := range int64(purges + 1) {
		eventually(t, "the new value is in L2", func() bool {
			v, src, err := f.Get(t.Context(), "hot", source.load)
			if err != nil || v > i+1 {
				t.Fatalf("after %d purges: load number %d, %v", i, v, err)
			}
			return v == i+1 && src == cache.L2
		})
		eventually(t, "it is hot everywhere", func() bool { return crowd.all(t, i+1) })
		if i < purges {
			if err := s.Invalidate(t.Context(), []string{"hot"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	crowd.stop(t)
	if n := len(source.times(t)); n != purges+1 {
		t.Errorf("%d loads for %d purges", n, purges)
	}
}

// TestStampedeOnExpiry: loads of a key that expires under a thousand readers in three processes are a TTL apart.
func TestStampedeOnExpiry(t *testing.T) {
	t.Parallel()
	redis := localtest.Redis(t).Addr
	const ttl = 300 * time.Millisecond
	crowd := startReaders(t, redis, ttl)
	source := &counter{client(t, redis)}
	eventually(t, "the value expired five times", func() bool { return len(source.times(t)) >= 6 })
	crowd.stop(t)
	times := source.times(t)
	for i := 1; i < len(times); i++ {
		if gap := times[i].Sub(times[i-1]); gap < ttl-20*time.Millisecond {
			t.Errorf("loads %d and %d are %v apart, the value lives %v", i-1, i, gap, ttl)
		}
	}
}

func hotFamily(s *cache.Store, ttl time.Duration) *cache.Family[int64] {
	return cache.New[int64](s, "hot", cache.FamilyOptions{TTL: ttl, Jitter: -1, Beta: -1})
}

// counter is a database that tells how often, and when, it was asked.
type counter struct{ c rueidis.Client }

func client(tb testing.TB, addr string) rueidis.Client {
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func (d *counter) load(ctx context.Context) (int64, []string, error) {
	now := strconv.FormatInt(time.Now().UnixMicro(), 10)
	n, err := d.c.Do(ctx, d.c.B().Rpush().Key("asked").Element(now).Build()).AsInt64()
	select { // a database takes its time
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
	return n, []string{"hot"}, err
}

func (d *counter) times(tb testing.TB) (out []time.Time) {
	list, err := d.c.Do(tb.Context(), d.c.B().Lrange().Key("asked").Start(0).Stop(-1).Build()).AsIntSlice()
	if err != nil {
		tb.Fatal(err)
	}
	for _, us := range list {
		out = append(out, time.UnixMicro(us))
	}
	return out
}

// crowd are processes that read, and a bus that reaches them through their standard input.
type crowd struct {
	mu    sync.Mutex
	procs []*exec.Cmd
	in    []io.WriteCloser
	out   []*bufio.Scanner
}

func startReaders(tb testing.TB, redis string, ttl time.Duration) *crowd {
	tb.Helper()
	c := &crowd{}
	for range readerProcesses {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), readerEnv+"="+redis, readerTTLEnv+"="+ttl.String())
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			tb.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			tb.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		c.procs, c.in, c.out = append(c.procs, cmd), append(c.in, in), append(c.out, bufio.NewScanner(out))
	}
	for _, out := range c.out {
		if !out.Scan() || out.Text() != "ready" {
			tb.Fatalf("a reader said %q", out.Text())
		}
	}
	return c
}

// Broadcast returns when every process has handled the message.
func (c *crowd) Broadcast(_ context.Context, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, in := range c.in {
		if _, err := fmt.Fprintln(in, base64.StdEncoding.EncodeToString(data)); err != nil {
			return err
		}
	}
	for _, out := range c.out {
		if !out.Scan() || out.Text() != "done" {
			return fmt.Errorf("a reader said %q", out.Text())
		}
	}
	return nil
}

// all tells whether every process holds v in its memory.
func (c *crowd) all(tb testing.TB, v int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	same := true
	for i, in := range c.in {
		if _, err := fmt.Fprintln(in, "?"); err != nil || !c.out[i].Scan() {
			tb.Fatalf("a reader does not answer: %v", err)
		}
		same = same && c.out[i].Text() == strconv.FormatInt(v, 10)
	}
	return same
}

// Subscribe is for nothing: nobody but the test speaks.
func (c *crowd) Subscribe(func([]byte)) (func(), error) { return func() {}, nil }

// stop has the processes finish what they do, and checks that none saw a failure.
func (c *crowd) stop(tb testing.TB) {
	tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, in := range c.in {
		_ = in.Close()
		reads, _ := strconv.Atoi(strings.TrimPrefix(lastLine(c.out[i]), "reads "))
		if err := c.procs[i].Wait(); err != nil || reads == 0 {
			tb.Errorf("reader %d: %v after %d reads", i, err, reads)
		}
	}
}

func lastLine(s *bufio.Scanner) (last string) {
	for s.Scan() {
		last = s.Text()
	}
	return last
}

// stdio is the bus of a reader's process.
type stdio struct{ fn func([]byte) }

func (*stdio) Broadcast(context.Context, []byte) error { return nil }

func (b *stdio) Subscribe(fn func([]byte)) (func(), error) {
	b.fn = fn
	return func() {}, nil
}

// readerMain is one process of the crowd: it reads the hot key until its standard input ends.
func readerMain(redis string) error {
	ttl, err := time.ParseDuration(os.Getenv(readerTTLEnv))
	if err != nil {
		return err
	}
	wire := &stdio{}
	// Patient: a process that a busy machine stops for a second is not what this is about.
	s, err := cache.NewStore(cache.Options{Redis: []string{redis}, Bus: wire, Timeout: 5 * time.Second, LeaseTTL: time.Minute, Beat: time.Minute})
	if err != nil {
		return err
	}
	defer s.Close()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{redis}, DisableCache: true})
	if err != nil {
		return err
	}
	defer c.Close()
	f, source := hotFamily(s, ttl), &counter{c}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var failed, reads atomic.Int64
	var wg sync.WaitGroup
	for range readers / readerProcesses {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, _, err := f.Get(ctx, "hot", source.load); err != nil && ctx.Err() == nil {
					failed.Add(1)
				}
				reads.Add(1)
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // the pace of a crowd
			}
		})
	}
	fmt.Println("ready")
	defer wg.Wait()
	defer stop()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() == "?" {
			v, _ := f.Peek("hot")
			fmt.Println(v)
			continue
		}
		data, err := base64.StdEncoding.DecodeString(in.Text())
		if err != nil {
			return err
		}
		wire.fn(data)
		fmt.Println("done")
	}
	stop()
	wg.Wait()
	fmt.Println("reads", reads.Load())
	if failed.Load() > 0 {
		return fmt.Errorf("%d reads failed", failed.Load())
	}
	return nil
}
