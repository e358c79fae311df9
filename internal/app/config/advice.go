package config

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
)

// AdviceConfig says how `up` foretells bottlenecks. Explain is off while it has no url: then nothing is sent anywhere.
type AdviceConfig struct {
	Enabled bool          `koanf:"enabled"`
	Explain ExplainConfig `koanf:"explain"`
	Act     ActConfig     `koanf:"act"`
}

// ActConfig is what `up` may do about advice by itself, and how far it may go: nothing unless enabled, and nothing whose bound is 0.
type ActConfig struct {
	Enabled      bool          `koanf:"enabled"`
	Cooldown     time.Duration `koanf:"cooldown"`      // between two turns of the same setting
	Hold         time.Duration `koanf:"hold"`          // how long a cause has to be gone before its turn is taken back
	Confidence   float64       `koanf:"confidence"`    // that advice has to have
	SlotsMax     int           `koanf:"slots_max"`     // to which checkout.slots may be raised, of an API process
	AdmissionMin int           `koanf:"admission_min"` // to which edge.admission.max may be lowered
	WarmTop      int           `koanf:"warm_top"`      // how many items may be warmed when a cache was emptied
	WarmRate     float64       `koanf:"warm_rate"`     // loads a second meanwhile; 0 is what warming has learnt
}

// defaultAct allows nothing.
func defaultAct() ActConfig {
	return ActConfig{Cooldown: time.Minute, Hold: 5 * time.Minute, Confidence: 0.6}
}

// ActFromEnv is what `up`, which makes its own configuration, is told: STAMPEDE_ADVICE_ACT_ENABLED and so on.
func ActFromEnv() (ActConfig, error) {
	k := koanf.New(".")
	err := k.Load(structs.Provider(defaultAct(), "koanf"), nil)
	if err == nil {
		const prefix = EnvPrefix + "ADVICE_ACT_"
		err = k.Load(env.Provider(".", env.Opt{Prefix: prefix, TransformFunc: func(name, v string) (string, any) {
			return strings.ToLower(strings.TrimPrefix(name, prefix)), v
		}}), nil)
	}
	var c ActConfig
	if err == nil {
		err = k.UnmarshalWithConf("", &c, koanf.UnmarshalConf{Tag: "koanf", DecoderConfig: &mapstructure.DecoderConfig{Result: &c, TagName: "koanf", ErrorUnused: true,
			WeaklyTypedInput: true, DecodeHook: mapstructure.StringToTimeDurationHookFunc()}})
	}
	if err != nil {
		err = fmt.Errorf("STAMPEDE_ADVICE_ACT_…: %w", err)
	}
	return c, err
}

func (c Config) validateAct(bad complain) {
	a := c.Advice.Act
	for key, d := range map[string]time.Duration{"advice.act.cooldown": a.Cooldown, "advice.act.hold": a.Hold} {
		if d < time.Second || d > 24*time.Hour {
			bad(key, d, "1s to 24h")
		}
	}
	if !(a.Confidence > 0 && a.Confidence <= 1) {
		bad("advice.act.confidence", a.Confidence, "above 0 and at most 1")
	}
	if a.SlotsMax != 0 && (c.Checkout.Slots < 1 || a.SlotsMax <= c.Checkout.Slots || a.SlotsMax > 1000) {
		bad("advice.act.slots_max", a.SlotsMax, fmt.Sprintf("more than checkout.slots, which has to be bounded and is %d, and at most 1000; or 0 to leave them alone", c.Checkout.Slots))
	}
	if m := c.Edge.Admission; a.AdmissionMin != 0 && (!m.Enabled || a.AdmissionMin < m.Min || a.AdmissionMin >= m.Max) {
		bad("advice.act.admission_min", a.AdmissionMin, fmt.Sprintf("from edge.admission.min (%d) to below edge.admission.max (%d), where admission is on; or 0 to leave it alone", m.Min, m.Max))
	}
	if a.WarmTop < 0 || a.WarmTop > 100_000 {
		bad("advice.act.warm_top", a.WarmTop, "1 to 100000 items, or 0 to warm nothing")
	}
	if !(a.WarmRate >= 0 && a.WarmRate <= 1e6) {
		bad("advice.act.warm_rate", a.WarmRate, "at most 1000000 loads a second, or 0 for what was learnt")
	}
}

// ExplainConfig is an OpenAI-compatible endpoint that puts advice into words, such as https://llm.example.com/v1/chat/completions. It is told
// names of resources and figures, nothing else.
type ExplainConfig struct {
	URL   string `koanf:"url"`
	Model string `koanf:"model"`
	Key   string `koanf:"key" secret:"yes"`
}

func (c Config) validateAdvice(bad complain) {
	c.validateAct(bad)
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
