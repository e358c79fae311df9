package opshttp

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

// Member is one role process.
type Member struct {
	Name string
	Ops  string
}

// Timeout bounds a question to one process.
const Timeout = 3 * time.Second

// FanOut asks every member at once and returns the answers in order; failures leave the zero value.
func FanOut[T any](ctx context.Context, members []Member, ask func(context.Context, Member) (T, error)) []T {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
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
	MaxAnswer      = 16 << 20 // of a GET
	MaxPurgeAnswer = 1 << 20
)

// Get asks one process for path; an answer of 300 or more is an error with its text.
func Get(ctx context.Context, addr, path string) ([]byte, error) {
	status, raw, err := Ask(ctx, http.MethodGet, addr, path, nil, MaxAnswer)
	if err == nil && status >= 300 {
		err = fmt.Errorf("%d %s: %s", status, http.StatusText(status), strings.TrimSpace(string(raw)))
	}
	return raw, err
}

// Ask makes one request of a member and reads up to limit bytes of its answer.
func Ask(ctx context.Context, method, addr, path string, body []byte, limit int64) (int, []byte, error) {
	client, base := ClientFor(addr, Timeout)
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
