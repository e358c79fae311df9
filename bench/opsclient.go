package main

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
)

// opsClient talks to a platform's operations endpoint, as a program outside would.
type opsClient struct {
	url, ops, token string
	http            http.Client
}

// platformStatus is what `stampede status --json` says.
type platformStatus struct {
	URL       string `json:"url"`
	Ops       string `json:"ops_url"`
	Processes []struct {
		Name string `json:"name"`
		PID  int    `json:"pid"`
	} `json:"processes"`
}

func newOpsClient(ctx context.Context, data string) (*opsClient, error) {
	st, err := statusOf(ctx, data)
	if err != nil {
		return nil, err
	}
	token, err := os.ReadFile(filepath.Join(data, "admin-token"))
	if err != nil {
		return nil, err
	}
	return &opsClient{url: st.URL, ops: st.Ops, token: strings.TrimSpace(string(token)), http: http.Client{Timeout: 10 * time.Second}}, nil
}

func statusOf(ctx context.Context, data string) (st platformStatus, err error) {
	out, err := stampede(ctx, "status", "--json", "--data", data)
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(out, &st)
}

// do sends in as JSON, if there is any, and reads the answer into out.
func (c *opsClient) do(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.ops+path, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, raw)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}
