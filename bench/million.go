package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

var (
	importedLine = regexp.MustCompile(`imported (\d+) products in (\S+): `)
	measuredLine = regexp.MustCompile(`go:\d+: (.+?) +p50 +\S+ +p95 +(\S+) ms in the database`)
)

// benchMillion runs the measurement of internal/postgres on a durable server of its own. Ours is the rate of the import;
// the details name the worst p95 of all kinds of lists, searches and views in the database, uncached.
func benchMillion(ctx context.Context) (result, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout", "30m", "-v", "-run", "^TestMillion$", "./internal/postgres")
	cmd.Env = append(os.Environ(), "STAMPEDE_MILLION=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, err
	}
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	r := result{Unit: "products/s imported", Runs: 1, Details: map[string]any{}}
	worst := 0.0
	kinds := 0
	for sc := bufio.NewScanner(out); sc.Scan(); {
		fmt.Fprintln(os.Stderr, sc.Text())
		if m := importedLine.FindStringSubmatch(sc.Text()); m != nil {
			r.Ours = rate(m[1], m[2])
		}
		if m := measuredLine.FindStringSubmatch(sc.Text()); m != nil {
			kinds++
			if p95, err := strconv.ParseFloat(m[2], 64); err == nil && p95 > worst {
				worst = p95
				r.Details["worst"], r.Details["worst_p95_ms"] = m[1], p95
			}
		}
	}
	err = cmd.Wait()
	if kinds == 0 {
		err = errors.Join(err, errors.New("nothing was measured"))
	}
	r.Details["kinds"] = kinds
	return r, err
}

func rate(count, took string) float64 {
	var n float64
	_, err := fmt.Sscan(count, &n)
	d, err2 := time.ParseDuration(took)
	if err != nil || err2 != nil {
		return 0
	}
	return n / d.Seconds()
}
