package pressure

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// Words that the process which presses is started with: what to take, and how much.
const (
	cpuWord    = "cpu"
	memoryWord = "memory"
)

// Serve is what the process does that Faults start: it takes what args say until parent, a pipe that the starter holds open,
// ends. It writes a line to out when it has what it is to take.
func Serve(ctx context.Context, parent io.Reader, out io.Writer, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, parent)
		cancel()
	}()
	say := func() { _, _ = fmt.Fprintln(out, "pressing") } // whoever listened may be gone
	switch {
	case len(args) == 3 && args[0] == cpuWord:
		workers, errW := strconv.Atoi(args[1])
		share, errS := strconv.ParseFloat(args[2], 64)
		if errW == nil && errS == nil && workers > 0 && share > 0 && share <= 1 {
			say()
			burn(ctx, workers, share)
			return nil
		}
	case len(args) == 2 && args[0] == memoryWord:
		if n, err := strconv.ParseInt(args[1], 10, 64); err == nil && n > 0 {
			hoard(ctx, n, say)
			return nil
		}
	}
	return fmt.Errorf("pressure: %q is not understood: %s WORKERS SHARE, or %s BYTES", args, cpuWord, memoryWord)
}

// slice of time in which a worker computes and rests.
const slice = 20 * time.Millisecond

// burn keeps so many processors busy for a share of the time.
func burn(ctx context.Context, workers int, share float64) {
	runtime.GOMAXPROCS(workers + 1)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			rest := time.NewTicker(slice)
			defer rest.Stop()
			for ctx.Err() == nil {
				for until := time.Now().Add(time.Duration(share * float64(slice))); time.Now().Before(until); {
				}
				if share < 1 {
					select {
					case <-ctx.Done():
					case <-rest.C:
					}
				}
			}
		})
	}
	all.Wait()
}

const page = 4096

// hoard holds so many bytes, and touches them again and again so that they are not swapped out for nothing.
func hoard(ctx context.Context, n int64, say func()) {
	held := make([]byte, n)
	touch := func() {
		for i := 0; i < len(held) && ctx.Err() == nil; i += page {
			held[i]++
		}
	}
	touch()
	say()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			touch()
		}
	}
}
