package running

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/app/opshttp"
)

// Client talks to the operations endpoint of a running platform.
type Client struct {
	http  *http.Client
	Base  string
	Token string
	State State
}

// NewClient finds the platform by its data folder, or by its operations URL (the token is then STAMPEDE_ADMIN_TOKEN, or
// that of the data folder).
func NewClient(data, ops string) (*Client, error) {
	c := &Client{Token: os.Getenv("STAMPEDE_ADMIN_TOKEN")}
	if ops == "" {
		st, err := ReadState(data)
		if err != nil {
			return nil, err
		}
		c.State, ops = st, st.Ops
	}
	if raw, err := os.ReadFile(filepath.Join(data, TokenFile)); err == nil && c.Token == "" {
		c.Token = strings.TrimSpace(string(raw))
	}
	c.http, c.Base = opshttp.ClientFor(ops, 30*time.Second)
	return c, nil
}

// Get is what an operations endpoint answers, as it is.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	return c.call(ctx, http.MethodGet, path, nil)
}

// FollowAdvice asks for what GET /admin/advice answers, at once and then each time every has passed, and hands the answer, or why there is
// none, to f, until ctx ends or f returns an error, which is returned.
func (c *Client) FollowAdvice(ctx context.Context, every time.Duration, f func(st AdviceStatus, err error) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var st AdviceStatus
		err := c.Do(ctx, http.MethodGet, "/admin/advice", nil, &st)
		if err = f(st, err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Do calls an operations endpoint; in and out are JSON, either may be nil.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	raw, err := c.call(ctx, method, path, in)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(raw, out)
}

func (c *Client) call(ctx context.Context, method, path string, in any) ([]byte, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: its operations endpoint %s does not answer: %w", ErrNotRunning, c.Base, err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, opshttp.ProblemError(method+" "+path, resp.Status, raw)
	}
	return raw, nil
}
