package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"

	"github.com/ulikunitz/xz"

	"github.com/stampede-shop/stampede/cache"
)

type cacheSimulateCmd struct {
	Trace  string `required:"" type:"input|-" help:"File of keys in the order of their requests, - for standard input; .gz and .xz are unpacked." placeholder:"FILE"`
	Format string `enum:"int32be,int64be,lines" default:"lines" help:"How a key is written: a big-endian integer of 4 or 8 bytes, or a line of text."`
	Size   int    `required:"" help:"How many values the cache has room for." placeholder:"N"`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (cacheSimulateCmd) Help() string {
	return "Example:\n  stampede cache simulate --trace requests.xz --format int32be --size 2048\n" +
		"All values count as equally large and none expires. A cache that pushes out the least recently used is shown for comparison."
}

func (c cacheSimulateCmd) Run(ctx context.Context, s streams) error {
	if c.Size < 1 {
		return usageError{fmt.Errorf("--size %d: at least 1", c.Size)}
	}
	r, done, err := openTrace(c.Trace)
	if err != nil {
		return err
	}
	defer done()
	sim, err := cache.Simulate(traceKeys(ctx, r, c.Format), c.Size)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Trace, err)
	}
	if c.JSON {
		return printJSON(s.Out, struct {
			cache.Simulation
			HitRate    float64 `json:"hit_rate"`
			LRUHitRate float64 `json:"lru_hit_rate"`
		}{sim, sim.HitRate(), sim.LRUHitRate()})
	}
	_, err = fmt.Fprintf(s.Out, "requests  %d\nkeys      %d\nsize      %d\nhits      %d\nhit rate  %.2f %%\nLRU       %.2f %%\n",
		sim.Requests, sim.Keys, sim.Size, sim.Hits, 100*sim.HitRate(), 100*sim.LRUHitRate())
	return err
}

// openTrace opens a file and unpacks what its name says is packed.
func openTrace(name string) (r io.Reader, done func(), err error) {
	in := os.Stdin
	if name != "-" {
		if in, err = os.Open(name); err != nil {
			return nil, nil, err
		}
	}
	r = bufio.NewReaderSize(in, 1<<16)
	switch {
	case strings.HasSuffix(name, ".gz"):
		r, err = gzip.NewReader(r)
	case strings.HasSuffix(name, ".xz"):
		r, err = xz.NewReader(r)
	}
	if err != nil {
		_ = in.Close()
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, func() { _ = in.Close() }, nil
}

// maxTraceLine bounds a key in text.
const maxTraceLine = 1 << 20

// traceKeys are the keys of a trace. Numbers become their decimal text.
func traceKeys(ctx context.Context, r io.Reader, format string) iter.Seq2[string, error] {
	next := lineReader(r)
	switch format {
	case "int32be":
		next = numberReader(r, 4, func(b []byte) int64 { return int64(int32(binary.BigEndian.Uint32(b))) })
	case "int64be":
		next = numberReader(r, 8, func(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) })
	}
	return func(yield func(string, error) bool) {
		for {
			key, err := next()
			if err == nil {
				err = ctx.Err()
			}
			if errors.Is(err, io.EOF) || !yield(key, err) || err != nil {
				return
			}
		}
	}
}

func numberReader(r io.Reader, width int, number func([]byte) int64) func() (string, error) {
	in, buf, n := bufio.NewReader(r), make([]byte, width), 0
	return func() (string, error) {
		if _, err := io.ReadFull(in, buf); errors.Is(err, io.ErrUnexpectedEOF) {
			return "", fmt.Errorf("it ends in the middle of request %d: keys are not of %d bytes each", n+1, width)
		} else if err != nil {
			return "", err
		}
		n++
		return strconv.FormatInt(number(buf), 10), nil
	}
}

func lineReader(r io.Reader) func() (string, error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxTraceLine)
	return func() (string, error) {
		for in.Scan() {
			if key := strings.TrimSuffix(in.Text(), "\r"); key != "" {
				return key, nil
			}
		}
		if err := in.Err(); err != nil {
			return "", err
		}
		return "", io.EOF
	}
}
