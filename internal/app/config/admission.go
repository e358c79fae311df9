package config

import "time"

// AdmissionConfig bounds how many requests the edge has under way at the API at once, by what their latency says.
type AdmissionConfig struct {
	Enabled bool          `koanf:"enabled"`
	Min     int           `koanf:"min"`    // requests at once, whatever the latency
	Max     int           `koanf:"max"`    // at most
	Target  time.Duration `koanf:"target"` // a latency that is never worth admitting fewer for
	Slack   time.Duration `koanf:"slack"`  // how long the edge's own work may wait for a processor before newcomers are refused
}

// defaultAdmission is the configuration before any file, variable or flag.
func defaultAdmission() AdmissionConfig {
	return AdmissionConfig{Enabled: true, Min: 16, Max: 1000, Target: 200 * time.Millisecond, Slack: 50 * time.Millisecond}
}

// AdmissionCeiling is a latency that is always worth admitting fewer for. It leaves checkouts, whose commits wait for a standby's disk,
// some room below the second they shall take at most, also where everything shares two cores.
const AdmissionCeiling = 800 * time.Millisecond

func (a AdmissionConfig) validate(bad complain) {
	if a.Min < 1 || a.Min > 100_000 {
		bad("edge.admission.min", a.Min, "1 to 100000 requests")
	}
	if a.Max < a.Min || a.Max > 100_000 {
		bad("edge.admission.max", a.Max, "from edge.admission.min to 100000 requests")
	}
	if a.Target < time.Millisecond || a.Target > AdmissionCeiling {
		bad("edge.admission.target", a.Target, "1ms to 800ms")
	}
	if a.Slack < time.Millisecond || a.Slack > time.Minute {
		bad("edge.admission.slack", a.Slack, "1ms to 1m")
	}
}
