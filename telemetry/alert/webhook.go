package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Webhook posts notifications as JSON: a [Notification] as it is.
type Webhook struct {
	URL    string
	Header http.Header  // added, such as Authorization
	Client *http.Client // nil is http.DefaultClient
}

// String names the host; the rest of an address may be secret.
func (w Webhook) String() string { return "webhook " + hostOf(w.URL) }

// Notify implements [Notifier].
func (w Webhook) Notify(ctx context.Context, n Notification) error {
	return post(ctx, w.Client, w.URL, w.Header, n)
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(not a URL)"
	}
	return u.Host
}

// post sends v as JSON. Any 2xx will do; other 4xx than time-out and too many are final.
func post(ctx context.Context, client *http.Client, address string, header http.Header, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return Permanent(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return Permanent(errors.New("the address is not one that can be posted to"))
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		var named *url.Error
		if errors.As(err, &named) { // it has the address in it, which may be secret
			err = named.Err
		}
		return fmt.Errorf("%s: %w", hostOf(address), err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	if resp.StatusCode/100 == 2 {
		return nil
	}
	err = fmt.Errorf("%s answered %s: %.200q", hostOf(address), resp.Status, answer)
	if resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusRequestTimeout && resp.StatusCode != http.StatusTooManyRequests {
		return Permanent(err)
	}
	return err
}
