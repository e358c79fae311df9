package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/replica"
)

// warmShop is a platform whose API processes warm at the start, or do not.
type warmShop struct {
	warms  bool
	data   string
	client *opsClient
	url    string
	mix    *hitsMix
}

func startWarmShop(ctx context.Context, dir string, warms bool) (*warmShop, error) {
	s := &warmShop{warms: warms, data: filepath.Join(dir, fmt.Sprint("warms-", warms))}
	args := []string{"up", "--detach", "--data", s.data, "--port", "0", "--ops-port", "0", "--replicas", "1", "--products", fmt.Sprint(warmProducts)}
	if c := os.Getenv("STAMPEDE_CATALOG"); c != "" {
		args = append(args, "--catalog", c)
	}
	cmd := exec.CommandContext(ctx, "bin/stampede", args...)
	cmd.Env = append(os.Environ(), fmt.Sprint("STAMPEDE_WARM_START=", warms))
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("up: %w\n%s", err, out)
	}
	var err error
	if s.client, err = newOpsClient(ctx, s.data); err != nil {
		return s, err
	}
	s.url = s.client.url
	s.mix, err = learnMix(ctx, s.data, 1)
	return s, err
}

func (s *warmShop) stop() {
	if s != nil {
		_, _ = stampede(context.Background(), "down", "--data", s.data)
	}
}

// coldRestart empties all caches, what the edge keeps on disk included, and kills whatever holds one: the API processes, Redis and the
// edge. They come back by themselves. Afterwards, at the moment that it returns, none of the old is left to answer.
func (s *warmShop) coldRestart(ctx context.Context) (gone time.Time, err error) {
	if err := s.client.do(ctx, "POST", "/admin/cache/purge", map[string]bool{"all": true}, nil); err != nil {
		return gone, err
	}
	st, err := statusOf(ctx, s.data)
	if err != nil {
		return gone, err
	}
	killed := 0
	for _, p := range st.Processes {
		if strings.HasPrefix(p.Name, "api-") || slices.Contains([]string{"redis", "edge"}, p.Name) {
			if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
				return gone, fmt.Errorf("%s: %w", p.Name, err)
			}
			killed++
		}
	}
	if killed < 4 {
		return gone, errors.New("not all that hold caches were found")
	}
	return time.Now(), nil
}

// databaseLoad is what the catalogue's databases were asked since the API processes started.
type databaseLoad struct {
	statements float64
	busy       time.Duration
	warming    warm.Progress // of all processes, summed
}

func (s *warmShop) databaseLoad(ctx context.Context) (l databaseLoad, err error) {
	var all map[string]json.RawMessage
	if err := s.client.do(ctx, "GET", "/admin/stats", nil, &all); err != nil {
		return l, err
	}
	for name, raw := range all {
		var part struct {
			Queries []replica.QueryStat
			Warm    warm.Progress
		}
		if !strings.HasPrefix(name, "api") {
			continue
		}
		if err := json.Unmarshal(raw, &part); err != nil {
			return l, fmt.Errorf("%s: %w", name, err)
		}
		for _, q := range part.Queries {
			if q.Database == "catalog" {
				l.statements += float64(q.Count)
				l.busy += q.Total
			}
		}
		l.warming.Loaded += part.Warm.Loaded
		l.warming.Present += part.Warm.Present
		l.warming.Elapsed = max(l.warming.Elapsed, part.Warm.Elapsed)
	}
	return l, nil
}

// answers waits until a product is shown again.
func (s *warmShop) answers(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	for {
		if good, _ := ask(client, s.url+s.mix.products[0].path()); good {
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("no good answer within %v: %w", within, err)
		}
	}
}
