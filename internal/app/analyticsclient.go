package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
)

// AnalyticsClient asks the analytics process of a platform.
type AnalyticsClient struct {
	http  *http.Client
	base  string
	token string
}

// NewAnalyticsClient finds it by the configuration.
func NewAnalyticsClient(cfg config.Config) (*AnalyticsClient, error) {
	if cfg.Analytics.Address == "" {
		return nil, errors.New("analytics.address: not configured: this platform stores no events")
	}
	c := &AnalyticsClient{token: cfg.Admin.Token}
	c.http, c.base = opshttp.ClientFor(cfg.Analytics.Address, exportTime+time.Minute)
	return c, nil
}

// Query runs one SELECT.
func (c *AnalyticsClient) Query(ctx context.Context, q AnalyticsQuery) (*analytics.Result, error) {
	body, err := c.post(ctx, analyticsQueryPath, q)
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // read to its end
	dec := json.NewDecoder(body)
	dec.UseNumber()
	var out analytics.Result
	return &out, dec.Decode(&out)
}

// Export copies what one SELECT yields to w.
func (c *AnalyticsClient) Export(ctx context.Context, w io.Writer, q AnalyticsQuery) error {
	body, err := c.post(ctx, analyticsExportPath, q)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // read to its end
	_, err = io.Copy(w, body)
	return err
}

func (c *AnalyticsClient) post(ctx context.Context, path string, q AnalyticsQuery) (io.ReadCloser, error) {
	raw, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the analytics process does not answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close() //nolint:errcheck // read as far as it matters
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		return nil, opshttp.ProblemError("POST "+path, resp.Status, text)
	}
	return resp.Body, nil
}
