package config

import (
	"strings"
	"testing"
	"time"
)

// What acting may do has to leave room between the setting and its bound.
func TestActConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.Advice.Act.SlotsMax, c.Advice.Act.AdmissionMin, c.Advice.Act.WarmTop = 12, 100, 500 }, ""},
		{func(c *Config) { c.Advice.Act.SlotsMax = c.Checkout.Slots }, "advice.act.slots_max"},
		{func(c *Config) { c.Advice.Act.SlotsMax, c.Checkout.Slots = 12, 0 }, "advice.act.slots_max"},
		{func(c *Config) { c.Advice.Act.AdmissionMin = 1 }, "advice.act.admission_min"},
		{func(c *Config) { c.Advice.Act.AdmissionMin, c.Edge.Admission.Enabled = 100, false }, "advice.act.admission_min"},
		{func(c *Config) { c.Advice.Act.WarmTop = -1 }, "advice.act.warm_top"},
		{func(c *Config) { c.Advice.Act.Cooldown = 0 }, "advice.act.cooldown"},
		{func(c *Config) { c.Advice.Act.Confidence = 1.5 }, "advice.act.confidence"},
	} {
		cfg := Default()
		c.change(&cfg)
		if err := cfg.Validate(); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v", cfg.Advice.Act, err)
		}
	}
}

func TestActFromEnv(t *testing.T) {
	if got, err := ActFromEnv(); err != nil || got != defaultAct() {
		t.Errorf("%+v %v", got, err)
	}
	t.Setenv("STAMPEDE_ADVICE_ACT_ENABLED", "true")
	t.Setenv("STAMPEDE_ADVICE_ACT_SLOTS_MAX", "12")
	t.Setenv("STAMPEDE_ADVICE_ACT_HOLD", "2m")
	want := defaultAct()
	want.Enabled, want.SlotsMax, want.Hold = true, 12, 2*time.Minute
	if got, err := ActFromEnv(); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	t.Setenv("STAMPEDE_ADVICE_ACT_SLOTS_MX", "12")
	if _, err := ActFromEnv(); err == nil || !strings.Contains(err.Error(), "slots_mx") {
		t.Errorf("a misspelt variable: %v", err)
	}
}
