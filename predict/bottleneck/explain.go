package bottleneck

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Explainer asks a language model behind an OpenAI-compatible endpoint to explain advice in plain words. Nothing is sent but names of
// resources, figures and the evidence made of them.
type Explainer struct {
	// URL is where completions are asked for, such as https://llm.example.com/v1/chat/completions.
	URL string
	// Model is named in the request.
	Model string
	// Key is sent as a bearer token; empty is none.
	Key string
	// Client makes the request; nil is a client with a limit of 20 s.
	Client *http.Client
}

const (
	explainLimit  = 20 * time.Second
	explainAnswer = 64 << 10 // bytes that are read
	explainChars  = 2000     // that are kept
	explainTask   = "You explain capacity advice of a web shop to its operator, in at most four sentences, without adding facts. The advice is JSON: " +
		"use is a share, 1 is full; seconds are until it is full."
)

// Explain returns a few sentences about one advice.
func (e Explainer) Explain(ctx context.Context, a Advice) (string, error) {
	facts, err := json.Marshal(map[string]any{"resource": a.Resource, "kind": a.Kind, "use": a.Use, "full": a.Full, "seconds": a.Seconds,
		"early": a.Early, "late": a.Late, "confidence": a.Confidence, "evidence": a.Evidence})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(map[string]any{"model": e.Model, "max_tokens": 300,
		"messages": []map[string]string{{"role": "system", "content": explainTask}, {"role": "user", "content": string(facts)}}})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, explainLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrExplain, err)
	}
	req.Header.Set("Content-Type", "application/json")
	if e.Key != "" {
		req.Header.Set("Authorization", "Bearer "+e.Key)
	}
	return e.ask(req)
}

func (e Explainer) ask(req *http.Request) (string, error) {
	client := e.Client
	if client == nil {
		client = &http.Client{Timeout: explainLimit}
		defer client.CloseIdleConnections()
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrExplain, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Choices []struct {
			Message struct {
				Content string `json:"content"`
			} `json:"message"`
		} `json:"choices"`
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, explainAnswer))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", resp.Status)
	}
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err == nil && len(answer.Choices) == 0 {
		err = fmt.Errorf("the answer has no choices")
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrExplain, err)
	}
	text := strings.TrimSpace(answer.Choices[0].Message.Content)
	return strings.ToValidUTF8(text[:min(len(text), explainChars)], ""), nil
}
