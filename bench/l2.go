package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/rueidis"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/proc"
)

const (
	l2Keys    = 20_000
	l2Callers = 64
	l2Rounds  = 40
	l2For     = 250 * time.Millisecond // short and many: what else the machine does meanwhile falls on both alike
)

// benchL2 compares reads of 1 KiB that are in Redis and not in memory, through the tiers with all they check (tags, leases, the
// clock of invalidations), with GETs of the bare client with the same deadline, 64 callers each, in turns on one Redis. Where others use the
// machine, cpu_ratio says more: of the processor time that a read costs, that of Redis included.
func benchL2(ctx context.Context) (r result, err error) {
	addr, stop, err := startRedis(ctx)
	if err != nil {
		return r, err
	}
	defer stop()
	bare, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		return r, err
	}
	defer bare.Close()
	store, err := cache.NewStore(cache.Options{Redis: []string{addr}, Timeout: time.Second})
	if err != nil {
		return r, err
	}
	defer store.Close()
	family := cache.New[[]byte](store, "row", cache.FamilyOptions{L1TTL: time.Nanosecond, CompressAbove: -1})
	value := make([]byte, 1024)
	missed := func(context.Context) ([]byte, []string, error) { return value, []string{"t"}, nil }
	for i := range l2Keys {
		if _, _, err := family.Get(ctx, strconv.Itoa(i), missed); err != nil {
			return r, err
		}
		if err := bare.Do(ctx, bare.B().Set().Key("bare:"+strconv.Itoa(i)).Value(rueidis.BinaryString(value)).Build()).Error(); err != nil {
			return r, err
		}
	}
	ways := []func(context.Context) error{
		func(ctx context.Context) error {
			_, from, err := family.Get(ctx, strconv.Itoa(rand.IntN(l2Keys)), missed)
			if err == nil && from == cache.Load {
				err = errors.New("a value was not in Redis")
			}
			return err
		},
		func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := bare.Do(ctx, bare.B().Get().Key("bare:"+strconv.Itoa(rand.IntN(l2Keys))).Build()).AsBytes()
			return err
		},
	}
	var rates, costs [2][]float64
	var ratios, cpuRatios []float64
	for round := range l2Rounds {
		for k := range ways {
			i := (round + k) % len(ways) // each is first as often as last
			before, err := l2CPU(ctx, bare)
			if err != nil {
				return r, err
			}
			n, took, err := hammer(ctx, l2Callers, l2For, ways[i])
			if err != nil {
				return r, err
			}
			after, err := l2CPU(ctx, bare)
			if err != nil {
				return r, err
			}
			rates[i] = append(rates[i], float64(n)/took.Seconds())
			costs[i] = append(costs[i], (after-before).Seconds()*1e6/float64(n))
		}
		ratios = append(ratios, rates[0][round]/rates[1][round])
		cpuRatios = append(cpuRatios, costs[1][round]/costs[0][round])
		fmt.Fprintf(os.Stderr, "cache %.0f/s, %.2f µs; rueidis %.0f/s, %.2f µs of processor time\n", rates[0][round], costs[0][round], rates[1][round], costs[1][round])
	}
	low, high := interval(ratios)
	return result{Unit: "reads/s", Ours: median(rates[0]), Anchor: median(rates[1]), Ratio: median(ratios), Spread: spread(rates[0]), Runs: l2Rounds,
		Details: map[string]any{"callers": l2Callers, "keys": l2Keys, "bytes": len(value), "ratio_95": []float64{low, high}, "cpu_ratio": median(cpuRatios),
			"cpu_us": median(costs[0]), "anchor_cpu_us": median(costs[1])}}, nil
}

// l2CPU is the processor time that this process and Redis have used.
func l2CPU(ctx context.Context, c rueidis.Client) (time.Duration, error) {
	info, err := c.Do(ctx, c.B().Info().Section("cpu").Build()).ToString()
	if err != nil {
		return 0, err
	}
	used := cpuHere()
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user" || name == "used_cpu_sys" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, fmt.Errorf("INFO of Redis: %s: %w", line, err)
			}
			used += time.Duration(seconds * float64(time.Second))
		}
	}
	return used, nil
}

// startRedis runs a Redis of the benchmark's own on a free port of this machine.
func startRedis(ctx context.Context) (addr string, stop func(), err error) {
	ports, err := freePorts(1)
	if err != nil {
		return "", nil, err
	}
	addr = ports[0]
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "stampede-bench-")
	if err != nil {
		return "", nil, err
	}
	spawner := proc.NewSpawner()
	stop = func() {
		spawner.Close()
		_ = os.RemoveAll(dir)
	}
	child, err := spawner.Start(exec.Command("redis-server", "--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", dir,
		"--hash-max-listpack-value", "65536"), syscall.SIGKILL)
	if err != nil {
		stop()
		return "", nil, err
	}
	end := stop
	stop = func() {
		c, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		child.Stop(c, os.Interrupt, 2*time.Second)
		end()
	}
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			tick.Stop()
			return addr, stop, c.Close()
		}
		select {
		case <-child.Done():
			tick.Stop()
			stop()
			return "", nil, fmt.Errorf("redis-server ended: %w", child.Err())
		case <-ctx.Done():
			tick.Stop()
			stop()
			return "", nil, ctx.Err()
		case <-tick.C:
		}
	}
}
