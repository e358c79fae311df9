package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// member is one role process.
type member struct {
	Name string
	Ops  string
}

const opsTimeout = 3 * time.Second

// fanOut asks every member at once and returns the answers in order; failures leave the zero value.
func fanOut[T any](ctx context.Context, members []member, ask func(context.Context, member) (T, error)) []T {
	ctx, cancel := context.WithTimeout(ctx, opsTimeout)
	defer cancel()
	out := make([]T, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() {
			if v, err := ask(ctx, m); err == nil {
				out[i] = v
			}
		})
	}
	wg.Wait()
	return out
}

const (
	maxAnswer      = 16 << 20 // of a GET
	maxPurgeAnswer = 1 << 20
)

func get(ctx context.Context, addr, path string) ([]byte, error) {
	status, raw, err := ask(ctx, http.MethodGet, addr, path, nil, maxAnswer)
	if err == nil && status >= 300 {
		err = fmt.Errorf("%d %s: %s", status, http.StatusText(status), strings.TrimSpace(string(raw)))
	}
	return raw, err
}

// ask makes one request of a member and reads up to limit bytes of its answer.
func ask(ctx context.Context, method, addr, path string, body []byte, limit int64) (int, []byte, error) {
	client, base := clientFor(addr, opsTimeout)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	return resp.StatusCode, raw, err
}
