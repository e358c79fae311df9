package config

import (
	"net/url"
	"os"
)

// AdviceConfig says how `up` foretells bottlenecks. Explain is off while it has no url: then nothing is sent anywhere.
type AdviceConfig struct {
	Enabled bool          `koanf:"enabled"`
	Explain ExplainConfig `koanf:"explain"`
}

// ExplainConfig is an OpenAI-compatible endpoint that puts advice into words, such as https://llm.example.com/v1/chat/completions. It is told
// names of resources and figures, nothing else.
type ExplainConfig struct {
	URL   string `koanf:"url"`
	Model string `koanf:"model"`
	Key   string `koanf:"key" secret:"yes"`
}

func (c Config) validateAdvice(bad complain) {
	e := c.Advice.Explain
	if e.URL == "" {
		return
	}
	if u, err := url.Parse(e.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		bad("advice.explain.url", quote(e.URL), "an address such as https://llm.example.com/v1/chat/completions")
	}
	if e.Model == "" {
		bad("advice.explain.model", quote(""), "the name of a model that the endpoint knows")
	}
}

// ExplainFromEnv is what `up`, which makes its own configuration, is told.
func ExplainFromEnv() ExplainConfig {
	const prefix = "STAMPEDE_ADVICE_EXPLAIN_"
	return ExplainConfig{URL: os.Getenv(prefix + "URL"), Model: os.Getenv(prefix + "MODEL"), Key: os.Getenv(prefix + "KEY")}
}
